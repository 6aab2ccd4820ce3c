/** What hosts and bridges are asked, a hundred thousand times spoilt. */
import t from 'tap'
import { attackAll, planOf } from '../hostile/attack.js'
import { groups, slowTargets } from '../hostile/table.js'
import { closeSharedBridge } from '../support/shared-bridge.js'

const COUNT = 100_000

t.teardown(closeSharedBridge)
attackAll(t, [...groups.bridge, ...groups.host, ...slowTargets], planOf(process.env, COUNT))
