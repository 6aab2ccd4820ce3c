/** The thread of a Checkpointer: one message in (now), one out (done). `workerData`: the database file. */

import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { failpoint } from '../../base/failpoint.js'
import { openDatabase } from '../../sqlite/open.js'
import { LEDGER_KIND, LEDGER_MIGRATIONS } from './schema.js'

const port = parentPort as MessagePort
const db = openDatabase(workerData as string, {
  migrations: LEDGER_MIGRATIONS,
  kind: LEDGER_KIND,
  cacheBytes: 1024 * 1024,
})
port.on('message', () => {
  try {
    failpoint('mount.checkpointer.begun')
    db.pragma('wal_checkpoint(PASSIVE)')
    failpoint('mount.checkpointer.done')
  } catch {
    // A full or failing disk: the ledger's own commits will meet it and say so.
  }
  port.postMessage(null)
})
