/** What peers say on a data channel. */
import t from 'tap'
import { attackAll, planOf } from './attack.js'
import { wireTargets } from './targets/wire.js'

attackAll(t, wireTargets, planOf(process.env))
