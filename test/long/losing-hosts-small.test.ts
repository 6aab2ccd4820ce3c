import { losingHostsTest } from '../support/losing-hosts-scenario.js'

losingHostsTest({ files: 16, fileBytes: 3_000_000, repairMs: 60_000 })
