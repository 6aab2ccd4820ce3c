/** What a bridge answers. */
import t from 'tap'
import { attackAll, planOf } from './attack.js'
import { reachReplyTargets } from './targets/reach-replies.js'
import { replyTargets } from './targets/replies.js'

attackAll(t, [...replyTargets, ...reachReplyTargets], planOf(process.env))
