/** The native addons, called with anything. */
import t from 'tap'
import { attackAll, planOf } from './attack.js'
import { nativeTargets } from './targets/native.js'

attackAll(t, nativeTargets, planOf(process.env))
