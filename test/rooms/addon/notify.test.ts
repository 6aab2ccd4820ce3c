import path from 'node:path'
import t from 'tap'
import { notifyAddon } from '../../../src/addon/notify.js'
import { NotifySocket } from '../../support/notify-socket.js'
import { until } from '../../support/programs.js'
import { scratchFolder } from '../../support/scratch-folder.js'

const { folder, remove } = scratchFolder()
t.teardown(remove)
const ENOENT = 2
const isLinux = process.platform === 'linux'

t.test('a datagram reaches a socket that is a path, whole and in order', async (t) => {
  const socket = await NotifySocket.open(t, path.join(folder, 'notify'))
  const longest = `${'ä'.repeat(2_047)}x`
  for (const text of ['READY=1\nSTATUS=well', longest]) t.equal(notifyAddon().send(socket.name, text), 0)
  await until('both came', () => socket.messages.length === 2)
  t.same(socket.messages, ['READY=1\nSTATUS=well', longest])
})

t.test('and one of the abstract kind', { skip: !isLinux && 'Linux alone has them' }, async (t) => {
  const socket = await NotifySocket.open(t, `@shardrive-notify-${process.pid}`)
  t.equal(notifyAddon().send(socket.name, 'WATCHDOG=1'), 0)
  await until('it came', () => socket.messages.length === 1)
  t.same(socket.messages, ['WATCHDOG=1'])
})

t.test('nobody there is an answer, not a failure, and a full queue is never waited for', async (t) => {
  t.equal(notifyAddon().send(path.join(folder, 'nobody'), 'READY=1'), ENOENT)
  const socket = await NotifySocket.open(t, path.join(folder, 'full'))
  let refused = 0
  for (let sent = 0; sent < 100_000 && refused === 0; sent++)
    refused = notifyAddon().send(socket.name, 'x'.repeat(4_000))
  t.ok(refused === 0 || refused === 11 || refused === 55, `errno ${refused}`)
})

t.test('what is no name or no text is refused', async (t) => {
  const send = notifyAddon().send as (...args: unknown[]) => number
  const name = '/tmp/x'
  for (const args of [[], [name], ['', 'x'], [name, ''], [1, 'x'], [name, {}], [`/${'n'.repeat(200)}`, 'x']]) {
    t.throws(() => send(...args), TypeError)
  }
  t.throws(() => send(name, 'x'.repeat(4_096)), TypeError)
  t.throws(() => send('/tmp/a\0b', 'x'), TypeError)
})
