/** What a bridge is asked. */
import t from 'tap'
import { closeSharedBridge } from '../support/shared-bridge.js'
import { attackAll, planOf } from './attack.js'
import { bridgeTargets } from './targets/bridge.js'
import { bridgeDoorTargets } from './targets/bridge-doors.js'

t.teardown(closeSharedBridge)
attackAll(t, [...bridgeTargets, ...bridgeDoorTargets], planOf(process.env))
