/** What a host keeps beside its index. */
import fs from 'node:fs'
import path from 'node:path'
import { Kept } from '../../../src/host/ledger/kept.js'
import { pseudonymId } from '../../../src/model/ids.js'
import { scratchFolder } from '../../support/scratch-folder.js'
import type { Opened, Target } from '../target.js'

/** A host's witnesses and serials: a database whose file was damaged anywhere. */
export function keptDatabase(): Target {
  const open = (): Opened => {
    const { folder, remove } = scratchFolder()
    const file = path.join(folder, 'kept.db')
    const pseudonym = pseudonymId('ab'.repeat(16))
    const made = Kept.open(file)
    made.saveWitness(pseudonym, 7, Buffer.alloc(166, 1))
    made.saveMark(Buffer.alloc(98, 3))
    made.saveSerials([{ serial: Buffer.alloc(16, 2), expires: 2 ** 50 }], 0)
    made.close()
    const sound = fs.readFileSync(file)
    return {
      samples: [sound],
      take: (input) => {
        for (const suffix of ['-wal', '-shm', '-journal']) fs.rmSync(file + suffix, { force: true })
        fs.writeFileSync(file, input)
        const kept = Kept.open(file)
        try {
          kept.loadWitness(pseudonym)
          kept.loadSerials()
          kept.loadMark()
        } finally {
          kept.close()
        }
      },
      codes: [
        ...['database-damaged', 'database-foreign', 'database-too-new', 'database-unwritable', 'database-busy'],
        ...['no-space', 'disk-failing'],
      ],
      taken: 'sometimes',
      close: remove,
    }
  }
  return { name: 'file kept.db', of: ['src/sqlite/open.ts', 'src/host/ledger/kept.ts'], is: ['file kept.db'], open }
}
