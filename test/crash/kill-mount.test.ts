import { crashTest } from '../support/crash-scenario.js'

crashTest({ rounds: 5, files: 500, largeBytesMax: 4_000_000 })
