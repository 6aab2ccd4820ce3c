/**
 * Writes to a ledger until it is killed: `node crash-child.js FOLDER START`. Says a number when everything up to it is
 * durable: file fN with N's bytes, and `current` = the bytes of the last one, replaced by rename.
 */
import path from 'node:path'
import { SecretBytes } from '../../../../src/crypto/secret.js'
import { openLedger } from '../../../../src/mount/metadata/client.js'
import { rampBytes } from './support.js'

const [folder = '', start = '0'] = process.argv.slice(2)
const stagedKey = SecretBytes.take(Buffer.alloc(32, 7))
const ledger = await openLedger({ file: path.join(folder, 'ledger.db'), stagedKey })
for (let n = Number(start); ; n++) {
  const time = { sec: n, nsec: 0 }
  for (const name of [`f${n}`, 'new']) {
    const owner = { uid: 0, gid: 0, time }
    const { inodes } = await ledger.make({ parent: 1, name: Buffer.from(name), mode: 0o100644, ...owner })
    const ino = inodes[0]?.ino ?? 0
    const bytes = new Uint8Array(rampBytes(n, 1_000 + (n % 7) * 10_000)).buffer
    await ledger.write({ ino, offset: 0, bytes, length: bytes.byteLength, time, killSuidGid: false })
  }
  const { inodes } = await ledger.rename(1, Buffer.from('new'), 1, Buffer.from('current'), 'replace', time)
  for (const one of inodes) if (one.nlink === 0) await ledger.reap([one.ino])
  if (n % 5 === 0) await ledger.cut()
  if (n % 3 === 0) {
    await ledger.sync()
    process.stdout.write(`${n}\n`)
  }
}
