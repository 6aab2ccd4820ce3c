import { programsTest } from '../support/programs-scenario.js'

programsTest()
