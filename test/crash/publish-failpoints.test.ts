import { failpointsTest } from '../support/failpoints-scenario.js'

// Every one of them, in memory: test/rooms/mount/sync/publisher-crash.test.ts; at a real mount: test/long.
failpointsTest(['publish-prepared', 'publish-recorded', 'publish-appended'])
