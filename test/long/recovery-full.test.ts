import { recoveryTest } from '../support/recovery-scenario.js'

recoveryTest({
  hosts: 8,
  trees: ['src', 'test', 'docs', 'native', 'node_modules', 'package.json'],
  ...{ randomBytes: 2 ** 30, smallFiles: 20_000, recoveries: 4, readers: 4 },
})
