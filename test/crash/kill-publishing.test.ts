import { netCrashTest } from '../support/crash-net-scenario.js'

netCrashTest({ points: 12, recoveries: 2 })
