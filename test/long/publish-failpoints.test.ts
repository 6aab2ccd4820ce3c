import { failpointsTest } from '../support/failpoints-scenario.js'

failpointsTest([
  'publish-begun',
  'publish-stored',
  'publish-prepared',
  'publish-recorded',
  'publish-appended',
  'publish-marked',
])
