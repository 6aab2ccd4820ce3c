import { crashTest } from '../support/crash-scenario.js'

crashTest({ rounds: 6, files: 500, largeBytesMax: 6_000_000 })
