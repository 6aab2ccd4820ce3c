/** A ledger that was set aside: a database whose file was damaged anywhere, read as far as it can be read. */
import fs from 'node:fs'
import path from 'node:path'
import { systemRandom } from '../../../src/base/random.js'
import { cut } from '../../../src/mount/metadata/epochs.js'
import { make } from '../../../src/mount/metadata/mutations.js'
import { write } from '../../../src/mount/metadata/mutations-io.js'
import { OldLedger } from '../../../src/mount/metadata/old-ledger.js'
import { setPin } from '../../../src/mount/metadata/pins.js'
import { readSyncs, syncCountFile } from '../../../src/mount/metadata/sync-count.js'
import { openTables } from '../../../src/mount/metadata/tables.js'
import { lastClaimedCommit } from '../../../src/sqlite/salvage.js'
import { noiseBytes } from '../../support/noise.js'
import { scratchFolder } from '../../support/scratch-folder.js'
import { secretOf } from '../../support/secrets.js'
import type { Opened, Target } from '../target.js'

const PAGE_BYTES = 32_768
const TIME = { sec: 1_700_000_000, nsec: 1 }
const key = () => secretOf(noiseBytes(21, 32))
const BYTES = noiseBytes(22, 3_000)

function makeLedger(file: string): void {
  const t = openTables({ file, key: key(), random: systemRandom, nowMs: () => 1_700_000_000_000 })
  for (const name of ['a', 'b', 'c']) {
    const facts = { parent: 1, name: Buffer.from(name), mode: 0o100644, uid: 1, gid: 1, time: TIME }
    const ino = make(t, facts).inodes[0]?.ino as number
    write(t, { ino, offset: 0, length: BYTES.length, time: TIME, killSuidGid: false }, Buffer.from(BYTES))
    if (name === 'a') cut(t, false)
    else setPin(t, ino, true)
  }
  t.database.sync()
  t.database.close()
}

/** What it says is what was written, or it says nothing. */
function readAll(file: string): void {
  const old = new OldLedger(file, key())
  try {
    old.facts()
    old.pins()
    for (const { operation } of old.operations(0)) {
      if (operation.kind !== 0) continue
      const bytes = old.stagedRow(operation.stagedId)
      if (bytes !== null && !bytes.equals(BYTES)) throw new Error('other bytes')
    }
  } finally {
    old.close()
  }
}

function oldLedger(): Target {
  const open = (): Opened => {
    const { folder, remove } = scratchFolder()
    const file = path.join(folder, 'ledger.db')
    makeLedger(file)
    const sound = fs.readFileSync(file)
    return {
      samples: [sound],
      take: (input) => {
        for (const suffix of ['-wal', '-shm', '-journal']) fs.rmSync(file + suffix, { force: true })
        fs.writeFileSync(file, input)
        fs.writeFileSync(`${file}-wal`, input.subarray(0, 2 * PAGE_BYTES))
        lastClaimedCommit(file, PAGE_BYTES)
        fs.rmSync(`${file}-wal`)
        readAll(file)
      },
      codes: [
        ...['database-damaged', 'database-foreign', 'database-too-new', 'database-too-old', 'database-unwritable'],
        ...['database-busy', 'no-space', 'disk-failing'],
      ],
      taken: 'sometimes',
      close: remove,
    }
  }
  const of = ['src/mount/metadata/old-ledger.ts', 'src/sqlite/salvage.ts']
  return { name: 'file ledger.db, set aside', of, is: ['file ledger.db, set aside'], open }
}

/** Says a number, or nothing. */
function syncCount(): Target {
  const open = (): Opened => {
    const { folder, remove } = scratchFolder()
    const file = path.join(folder, 'ledger.db')
    return {
      samples: [Buffer.from('0000000000000007fffffffffffffff8', 'hex')],
      take: (input, sound) => {
        fs.writeFileSync(syncCountFile(file), input)
        const syncs = readSyncs(file)
        if (!Number.isSafeInteger(syncs) || syncs < 0 || (sound && syncs !== 7)) throw new Error(`${syncs} syncs`)
      },
      codes: [],
      taken: 'always',
      close: remove,
    }
  }
  return { name: 'file ledger.db-synced', of: ['src/mount/metadata/sync-count.ts'], open }
}

export function ledgers(): Target[] {
  return [oldLedger(), syncCount()]
}
