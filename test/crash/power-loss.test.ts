import { powerTest } from '../support/power-scenario.js'

powerTest({ cuts: 60, recordings: 1 })
