import { losingHostsTest } from '../support/losing-hosts-scenario.js'

losingHostsTest({ files: 32, fileBytes: 33_554_432, repairMs: 600_000 })
