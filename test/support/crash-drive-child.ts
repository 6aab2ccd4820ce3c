/**
 * `shardrive mount --foreground` with what only tests need: snapshots after a few bytes of log, a cache that is soon full. argv 2: JSON.
 * Says that it is ready to its parent and ends with it, or at SIGTERM.
 */
import fs from 'node:fs'
import { setUpDevice } from '../../src/app/account-setup.js'
import { mountDrive } from '../../src/app/drive-daemon.js'
import { followParent, leaveParent, tellParent } from '../../src/app/parent.js'
import { listenForStop } from '../../src/app/stop.js'
import { hasDrive } from '../../src/mount/account/drive-files.js'

export interface CrashDriveOptions {
  mountPoint: string
  stateDir: string
  cacheBytes: number
  snapshotLogBytes: number
  readOnly: boolean
  /** Recover the drive into a new state directory. */
  recovers: { bridge: string; phraseFile: string } | null
}

async function main(options: CrashDriveOptions): Promise<void> {
  const { stateDir, recovers, ...rest } = options
  const stop = listenForStop()
  const gone = new Promise<void>((resolve) => followParent(resolve))
  if (recovers !== null && !hasDrive(stateDir)) {
    const phrase = fs.readFileSync(recovers.phraseFile, 'utf8').trim()
    await setUpDevice(phrase, { stateDir, bridgeUrl: recovers.bridge, driveName: 'main' })
  }
  const how = { door: 'native', passphrase: null, takeover: false, fsyncStored: false, say: () => {} } as const
  const drive = await mountDrive({ ...rest, ...how, stateDir })
  tellParent({ ready: {} })
  await stop.waitWith(gone, drive.ended)
  await drive.stop()
  leaveParent()
}

void main(JSON.parse(process.argv[2] as string)).catch((error: unknown) => {
  console.error(error)
  process.exit(1)
})
