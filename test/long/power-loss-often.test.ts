import { powerTest } from '../support/power-scenario.js'

powerTest({ cuts: 250, recordings: 8 })
