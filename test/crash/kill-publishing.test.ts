import { netCrashTest } from '../support/crash-net-scenario.js'

netCrashTest({ points: 9, recoveries: 2 })
