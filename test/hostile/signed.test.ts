/** What carries a signature or a seal: permits, chains, descriptions. */
import t from 'tap'
import { attackAll, planOf } from './attack.js'
import { chainTargets } from './targets/chain.js'
import { permitTargets } from './targets/permits.js'

attackAll(t, [...permitTargets, ...chainTargets], planOf(process.env))
