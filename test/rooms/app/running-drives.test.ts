/** A drive whose daemon was killed and hangs in the kernel: its socket is open, and nobody will ever answer on it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import t from 'tap'
import { announceDrive, findRunningDrive, listRunningDrives } from '../../../src/app/running-drives.js'
import { isDying } from '../../../src/base/process-state.js'

const skip = process.platform !== 'linux' && 'processes are looked at in /proc'

t.test('a killed daemon is not taken for a running one, though its socket takes calls', { skip }, async (t) => {
  const folder = t.testdir({ mnt: {} })
  const before = process.env.XDG_RUNTIME_DIR
  process.env.XDG_RUNTIME_DIR = folder
  // Ended and never waited for by its parent: as a killed process whose last thread does not end.
  const parent = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 1000'], { stdio: ['ignore', 'pipe', 'ignore'] })
  const control = path.join(fs.mkdtempSync('/tmp/shardrive-control-'), 'sock')
  const silent = net.createServer()
  t.teardown(() => {
    parent.kill('SIGKILL')
    silent.close()
    fs.rmSync(path.dirname(control), { recursive: true })
    if (before === undefined) delete process.env.XDG_RUNTIME_DIR
    else process.env.XDG_RUNTIME_DIR = before
  })
  const pid = Number(String((await once(parent.stdout, 'data'))[0]))
  while (!isDying(pid)) await new Promise((resolve) => setTimeout(resolve, 5))
  await new Promise<void>((resolve) => silent.listen(control, resolve))
  const drive = { state: path.join(folder, 'state'), mountPoint: path.join(folder, 'mnt'), control, pid }
  announceDrive(drive)

  t.same(await listRunningDrives(), [])
  const killed = { code: 'daemon-not-running', message: /was killed/, hint: /shardrive mount .*mnt/ }
  await t.rejects(findRunningDrive(drive.state), killed)
  await t.rejects(findRunningDrive(undefined, path.join(drive.mountPoint, 'a')), killed)
  await t.rejects(findRunningDrive(undefined), killed)
  announceDrive({ ...drive, pid: process.pid })
  t.match(await findRunningDrive(drive.state), { control })
})
