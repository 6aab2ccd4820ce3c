/** What a host is asked, what lies on its disk, and what it answers. */
import t from 'tap'
import { attackAll, planOf } from './attack.js'
import { hostTargets } from './targets/host.js'
import { volumeTargets } from './targets/volumes.js'

attackAll(t, [...hostTargets, ...volumeTargets], planOf(process.env))
