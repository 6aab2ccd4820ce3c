/** What lies on disk. */
import t from 'tap'
import { attackAll, planOf } from './attack.js'
import { fileTargets } from './targets/files.js'

attackAll(t, fileTargets, planOf(process.env))
