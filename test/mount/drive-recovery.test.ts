import { recoveryTest } from '../support/recovery-scenario.js'

recoveryTest({
  trees: ['src/mount', 'test', 'docs', 'package.json'],
  ...{ randomBytes: 32 * 1_048_576, smallFiles: 800, recoveries: 2, readers: 2 },
})
