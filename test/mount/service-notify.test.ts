/** What real processes of each mode tell a service manager: ready, alive, ending; and nothing when they hang. */
import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { Lab } from '../support/drive-process.js'
import { noMounts } from '../support/mounts.js'
import { NotifySocket } from '../support/notify-socket.js'
import { readProc, runProgram, sleep } from '../support/programs.js'

const lab = new Lab(t)
const bridgeDir = lab.path('bridge')
const WATCHDOG_MS = 1_500
/** Far more than a keep-alive needs, also on a busy machine. */
const SILENCE_MS = 2 * WATCHDOG_MS

const socketOf = (name: string) => NotifySocket.open(t, lab.path(`notify-${name}`))
const envOf = (socket: NotifySocket) => ({ NOTIFY_SOCKET: socket.name, WATCHDOG_USEC: String(WATCHDOG_MS * 1_000) })

const bridgeSocket = await socketOf('bridge')
const listen = ['--listen', '127.0.0.1:0', '--policy', 'single-machine', '--scheme', '1/1']
const bridge = await lab.daemon(['bridge', 'run', '--dir', bridgeDir, ...listen], envOf(bridgeSocket))

/** No keep-alive comes while `during`; afterwards they come again. */
async function silent(socket: NotifySocket, during: () => Promise<unknown>): Promise<number> {
  // What was under way arrives.
  await sleep(WATCHDOG_MS / 3)
  const before = socket.count('WATCHDOG=1')
  await during()
  return socket.count('WATCHDOG=1') - before
}

t.test('a bridge is ready when it listens, keeps alive, and stops doing so when it stands still', async (t) => {
  await bridgeSocket.has('READY=1')
  t.match(bridgeSocket.messages[0], /^STATUS=starting/)
  t.match(bridgeSocket.status, `answers at ${bridge.facts.bridge}; 0 hosts online`)
  t.ok((await fetch(`${bridge.facts.bridge}/v1/bridge`)).status > 0, 'it does listen')
  await bridgeSocket.has('WATCHDOG=1', 2)
  bridge.signal('SIGSTOP')
  t.equal(await silent(bridgeSocket, () => sleep(SILENCE_MS)), 0)
  bridge.signal('SIGCONT')
  await bridgeSocket.has('WATCHDOG=1', bridgeSocket.count('WATCHDOG=1') + 2)
})

t.test('a host is ready when its store is open, says whether the bridge knows it, and says that it ends', async (t) => {
  const socket = await NotifySocket.open(t, `@shardrive-host-${process.pid}`)
  const dir = lab.path('host')
  await lab.facts('host', 'init', '--dir', dir, '--bridge', String(bridge.facts.bridge), '--space', '1GiB')
  const host = await lab.daemon(['host', 'run', '--dir', dir], { ...envOf(socket), WATCHDOG_PID: '1' })
  await socket.has('READY=1')
  t.match(socket.status, /^serves 0 shards, 0 B of 1.0 GiB/)
  t.equal(socket.count('WATCHDOG=1'), 0, 'the watchdog was for another process')
  t.equal(await host.stop(), 0)
  await socket.has('STOPPING=1')
  const again = await lab.daemon(['host', 'run', '--dir', dir], envOf(socket))
  await socket.has('STATUS=serves 0 shards, 0 B of 1.0 GiB; 1.0 GiB free; the bridge knows it')
  await socket.has('WATCHDOG=1', 2)
  await bridgeSocket.has(`STATUS=answers at ${bridge.facts.bridge}; 1 host online`)
  again.signal('SIGSTOP')
  t.equal(await silent(socket, () => sleep(SILENCE_MS)), 0)
  again.signal('SIGCONT')
  await socket.has('WATCHDOG=1', socket.count('WATCHDOG=1') + 2)
})

t.test('a start that fails says why, in the line that a person looks at', async (t) => {
  const socket = await socketOf('failing')
  const words = ['dist/main.js', 'host', 'run', '--dir', lab.made('empty')]
  const ran = await runProgram(process.execPath, words, { env: { ...lab.env, ...envOf(socket) } })
  t.equal(ran.status, 5)
  t.equal(socket.count('READY=1'), 0)
  t.match(socket.status, /^failed: .*empty has no host\.json \[host-folder-wrong\]; what to do: /)
})

const skip = noMounts()

t.test('a mount whose ledger hangs keeps the event loop, and still stops the keep-alives', { skip }, async (t) => {
  const socket = await socketOf('mount')
  const state = lab.path('state')
  await lab.facts('init', '--bridge', String(bridge.facts.bridge), '--state', state, '--phrase-out', lab.path('phrase'))
  const mount = lab.made('mnt')
  const env = { ...envOf(socket), SHARDRIVE_FAILPOINT: 'mount.call.make:3:hang' }
  const drive = await lab.mount({ mount, state, env })
  await socket.has('READY=1')
  t.match(socket.status, /^mounted at .*mnt; /)
  t.ok(fs.readFileSync('/proc/mounts', 'utf8').includes(mount), 'it is mounted')
  for (const name of ['a', 'b']) await lab.sh(`mkdir ${path.join(mount, name)}`)
  await socket.has('WATCHDOG=1', socket.count('WATCHDOG=1') + 2)
  const waiting = lab.sh(`mkdir ${path.join(mount, 'hangs')}`).catch(() => undefined)
  t.equal(await silent(socket, () => sleep(SILENCE_MS)), 0)
  t.match(socket.status, /^hangs: /, 'the event loop runs on, and says so')
  await drive.kill()
  await waiting
})

t.test('neither a mount in the background nor the parts of `up` inherit the socket', { skip }, async (t) => {
  const socket = await socketOf('children')
  Object.assign(lab.env, envOf(socket))
  const up = await lab.up()
  const mount = lab.made('behind')
  await lab.facts('mount', mount, '--state', up.facts.state)
  const children = (await lab.processes()).filter(({ words }) => words.includes(up.facts.dir) && !/ up /.test(words))
  t.equal(children.length, 1 + up.facts.hosts.length + 1, 'bridge, hosts and the mount')
  for (const { pid, words } of children) t.notMatch(await readProc(String(pid), 'environ'), /NOTIFY_|WATCHDOG_/, words)
  await lab.facts('unmount', mount)
  t.same(socket.messages, [], 'and nobody said that the service is ready')
})
