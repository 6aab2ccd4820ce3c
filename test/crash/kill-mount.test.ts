import { crashTest } from '../support/crash-scenario.js'

crashTest({ rounds: 2, files: 500, largeBytesMax: 2_000_000 })
