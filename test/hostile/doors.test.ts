/** What comes from this machine: requests of the kernel, lines of the control socket. */
import t from 'tap'
import { attackAll, planOf } from './attack.js'
import { controlTargets } from './targets/control.js'
import { kernelTargets } from './targets/kernel.js'

attackAll(t, [...kernelTargets, ...controlTargets], planOf(process.env))
