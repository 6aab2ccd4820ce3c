import { crashTest } from '../support/crash-scenario.js'

crashTest({ rounds: 40, files: 500, largeBytesMax: 24_000_000 })
