/** What a bridge is asked. */
import t from 'tap'
import { closeSharedBridge } from '../support/shared-bridge.js'
import { attackAll, planOf } from './attack.js'
import { bridgeTargets } from './targets/bridge.js'

t.teardown(closeSharedBridge)
attackAll(t, bridgeTargets, planOf(process.env))
