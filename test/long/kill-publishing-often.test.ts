import { netCrashTest } from '../support/crash-net-scenario.js'
import { NET_POINTS, RECOVERY_POINTS } from '../support/crash-points.js'

netCrashTest({ points: NET_POINTS.length, recoveries: RECOVERY_POINTS.length })
