import { recoveryTest } from '../support/recovery-scenario.js'

recoveryTest({
  trees: ['src', 'test', 'docs', 'package.json'],
  ...{ randomBytes: 64 * 1_048_576, smallFiles: 1_500, recoveries: 3, readers: 3 },
})
