/**
 * A drive without a network, as a process of its own: ledger, vfs and door. `node vfs-child.js STATE MOUNT DOOR`; says "ready" on
 * stdout and why it is read-only when that changes, unmounts and closes at SIGTERM, takes no changes from a SIGUSR2 to the next. Bytes are staged and stay so: there are no hosts to read from.
 * The portable door gives everything back at its end: what is still held then counts as a finding.
 * With a channel to its parent it answers each message with what fsck finds and how many files it counts, and ends with the parent.
 */
import path from 'node:path'
import { systemClock } from '../../src/base/clock.js'
import { openLog } from '../../src/base/log.js'
import { SecretBytes } from '../../src/crypto/secret.js'
import { mountDoor } from '../../src/mount/fuse/door.js'
import { openLedger } from '../../src/mount/metadata/client.js'
import type { Ledger } from '../../src/mount/metadata/ledger.js'
import { mountPortableDoor } from '../../src/mount/portable/door.js'
import { Vfs } from '../../src/mount/vfs/vfs.js'
import { Staging } from '../../src/mount/writer/staging.js'
import { StagingSpace } from '../../src/mount/writer/staging-space.js'

/** Held as long as there is a vfs. */
const ROOT = 1
const SPACE = { totalBytes: 2 ** 40, freeBytes: 2 ** 39 }

async function readStaged(ledger: Ledger, ino: number, offset: number, size: number): Promise<Buffer[]> {
  const { pieces } = await ledger.plan(ino, offset, size)
  return pieces.map((piece) => {
    if (piece.kind === 'segment') throw new Error('bytes on hosts')
    return piece.kind === 'bytes' ? piece.bytes : Buffer.alloc(piece.length)
  })
}

async function main(state: string, mountPoint: string, doorName: string): Promise<void> {
  const log = openLog('vfs-child')
  const stagedKey = SecretBytes.take(Buffer.alloc(32, 9))
  const events = { readOnly: (reason: string | null) => void process.stdout.write(`read-only: ${reason}\n`) }
  const ledger = await openLedger({ file: path.join(state, 'ledger.db'), stagedKey, events })
  const space = new StagingSpace({ room: () => ledger.room(), monotonicMs: () => performance.now() })
  let vfs: Vfs | null = null
  const staging = new Staging({
    ledger,
    space,
    written: (ino, writes, result) => vfs?.written(ino, writes, result),
  })
  ledger.beforeCalls(() => staging.flush())
  const reader = { read: (ino: number, offset: number, size: number) => readStaged(ledger, ino, offset, size) }
  const parts = { ledger, staging, reader, space: { space: () => SPACE }, clock: systemClock, log }
  vfs = await Vfs.start(parts, { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 })
  const isPortable = doorName === 'fuse-native'
  const door = await (isPortable ? mountPortableDoor : mountDoor)(mountPoint, { fs: vfs, log })
  process.once('SIGTERM', () => void door.unmount())
  process.on('SIGUSR2', () => void ledger.setReadOnly(ledger.readOnlyReason() === null ? 'SIGUSR2' : null))
  process.on('message', async () => {
    process.send?.({ findings: await ledger.check(), files: ledger.progress().files })
  })
  process.once('disconnect', () => void door.unmount())
  process.stdout.write('ready\n')
  await door.ended
  const held = isPortable ? vfs.openHandles + vfs.inodesHeld - ROOT : 0
  await vfs.stop()
  const findings = await ledger.check()
  await ledger.close()
  for (const finding of findings) process.stdout.write(`finding ${finding.code} ${finding.message}\n`)
  if (held > 0) process.stdout.write(`finding held ${held} inodes and handles\n`)
  process.exit(findings.length === 0 && held === 0 ? 0 : 1)
}

const [state, place, doorName] = process.argv.slice(2) as [string, string, string]
void main(state, place, doorName)
