import { crashTest } from '../support/crash-scenario.js'

crashTest({ kills: 600, runs: 2 })
