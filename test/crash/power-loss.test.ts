import { powerTest } from '../support/power-scenario.js'

powerTest({ cuts: 150, recordings: 1 })
