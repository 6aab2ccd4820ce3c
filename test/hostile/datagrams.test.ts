/** What comes to a plain UDP socket. */
import t from 'tap'
import { attackAll, planOf } from './attack.js'
import { datagramTargets } from './targets/datagrams.js'

attackAll(t, datagramTargets, planOf(process.env))
