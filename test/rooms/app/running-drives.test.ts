/** Drives that are announced here: of a daemon that was killed and hangs in the kernel, and files that no daemon wrote. */
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
  const killed = { code: 'daemon-not-running', message: /has died/, hint: /shardrive mount .*mnt/ }
  await t.rejects(findRunningDrive(drive.state), killed)
  await t.rejects(findRunningDrive(undefined, path.join(drive.mountPoint, 'a')), killed)
  await t.rejects(findRunningDrive(undefined), killed)
  announceDrive({ ...drive, pid: process.pid })
  t.match(await findRunningDrive(drive.state), { control })
})

t.test('a file in the runtime folder that no daemon wrote is passed over, and no port is called', async (t) => {
  const dir = t.testdir({ shardrive: { drives: {} } })
  const before = process.env.XDG_RUNTIME_DIR
  process.env.XDG_RUNTIME_DIR = dir
  t.teardown(() => {
    if (before === undefined) delete process.env.XDG_RUNTIME_DIR
    else process.env.XDG_RUNTIME_DIR = before
  })
  let called = 0
  const server = net.createServer(() => called++)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as net.AddressInfo
  const sound = { state: '/s', mountPoint: null, control: '/nowhere/c.sock', pid: 1 }
  const odd = [String(port), 'a\u0000b', '/a\u0000b', '', 'relative', 7, null]
  for (const [at, control] of odd.entries()) {
    const file = path.join(dir, 'shardrive', 'drives', `${at}.json`)
    fs.writeFileSync(file, JSON.stringify({ ...sound, control }))
  }
  t.same(await listRunningDrives(), [])
  t.equal(called, 0)
})
