/** What a bridge answers. */
import t from 'tap'
import { attackAll, planOf } from './attack.js'
import { replyTargets } from './targets/replies.js'

attackAll(t, replyTargets, planOf(process.env))
