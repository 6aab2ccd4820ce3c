import fs from 'node:fs'
import { connect, createServer } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import t, { type Test } from 'tap'
import { AppError } from '../../../../src/base/errors.js'
import { silentLog } from '../../../../src/base/log.js'
import { callDaemon } from '../../../../src/mount/control/client.js'
import { type ControlCall, ControlServer } from '../../../../src/mount/control/server.js'
import { until } from '../../../support/named.js'

/** Paths of sockets are short. */
function shortFolder(t: Test): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sdc-'))
  t.teardown(() => fs.rmSync(folder, { recursive: true, force: true }))
  return folder
}

async function serve(t: Test, extra: Record<string, (call: ControlCall) => Promise<object>> = {}) {
  const file = path.join(shortFolder(t), 'c.sock')
  const seen = { calls: 0, aborted: 0 }
  const methods = {
    echo: async (call: ControlCall) => {
      seen.calls++
      return { params: call.params }
    },
    slow: (call: ControlCall) =>
      new Promise<object>((_resolve, reject) => {
        call.progress({ at: 1 })
        call.signal.addEventListener('abort', () => {
          seen.aborted++
          reject(call.signal.reason)
        })
      }),
    fails: async () => {
      throw new AppError('no-space', 'full', { retry: 'later', hint: 'tidy up', details: { left: 3 } })
    },
    ...extra,
  }
  const server = await ControlServer.listen(file, methods, silentLog)
  t.teardown(() => server.stop())
  return { file, server, seen }
}

t.test('a call is answered, a failure arrives as it was thrown, an unknown method is told', async (t) => {
  const { file } = await serve(t)
  t.equal(fs.statSync(file).mode & 0o777, 0o600)
  t.same(await callDaemon(file, 'echo', { a: [1] }), { params: { a: [1] } })
  const failure = { code: 'no-space', message: 'full', retry: 'later', hint: 'tidy up', details: { left: 3 } }
  await t.rejects(callDaemon(file, 'fails'), failure)
  for (const name of ['nothing', 'toString', '__proto__', 'constructor']) {
    await t.rejects(callDaemon(file, name), { code: 'unknown-method' })
  }
})

t.test('who goes away cancels what it asked for; progress comes before the result', async (t) => {
  const { file, seen } = await serve(t)
  const stop = new AbortController()
  const progress: object[] = []
  const call = callDaemon(file, 'slow', {}, { signal: stop.signal, progress: (value) => progress.push(value) })
  await until(() => progress.length === 1)
  stop.abort(new AppError('interrupted', 'enough'))
  await t.rejects(call, { code: 'interrupted' })
  await until(() => seen.aborted === 1)
  await t.rejects(callDaemon(file, 'echo', {}, { signal: stop.signal }), { code: 'interrupted' })
})

const waiting = (call: ControlCall) => {
  call.progress({ at: 1 })
  return new Promise<object>(() => {})
}

t.test('a daemon that ends tells its callers; afterwards nobody listens, and no file is left', async (t) => {
  const { file, server } = await serve(t, { waits: waiting })
  let isAsked = false
  const note = () => {
    isAsked = true
  }
  const call = callDaemon(file, 'waits', {}, { progress: note })
  call.catch(() => undefined)
  await until(() => isAsked)
  await server.stop()
  await t.rejects(call, { code: 'daemon-stopped' })
  t.notOk(fs.existsSync(file))
  await t.rejects(callDaemon(file, 'echo'), { code: 'daemon-not-running' })
})

t.test('a socket that a dead daemon left is taken over; a place that cannot be is refused', async (t) => {
  const folder = shortFolder(t)
  const file = path.join(folder, 'c.sock')
  fs.writeFileSync(file, 'left')
  const server = await ControlServer.listen(file, {}, silentLog)
  await server.stop()
  await t.rejects(ControlServer.listen(path.join(folder, 'none', 'c.sock'), {}, silentLog), {
    code: 'state-unwritable',
  })
  await t.rejects(ControlServer.listen(folder, {}, silentLog), { code: 'state-unwritable' })
  const long = path.join(folder, 'l'.repeat(110))
  await t.rejects(ControlServer.listen(long, {}, silentLog), { code: 'state-unwritable' }, 'and is not cut short')
  t.same(fs.readdirSync(folder), [])
})

t.test('the mask of the process is what it was', async (t) => {
  const before = process.umask()
  await serve(t)
  t.equal(process.umask(), before)
})

t.test('more calls at once than a person makes end the connection', async (t) => {
  const { file, seen } = await serve(t)
  const socket = connect(file)
  socket.on('error', () => undefined)
  for (let id = 0; id < 17; id++) socket.write(`${JSON.stringify({ id, method: 'slow' })}\n`)
  await new Promise((resolve) => socket.resume().once('close', resolve))
  await until(() => seen.aborted === 16)
})

t.test('a call whose number cannot be said again ends its connection only', async (t) => {
  const { file, seen } = await serve(t)
  for (const id of [`${'['.repeat(100_000)}${']'.repeat(100_000)}`, '{}', 'null', 'true', `"${'x'.repeat(65)}"`]) {
    const socket = connect(file)
    socket.on('error', () => undefined)
    socket.write(`{"id":${id},"method":"none"}\n{"id":1,"method":"echo"}\n`)
    await new Promise((resolve) => socket.resume().once('close', resolve))
  }
  t.equal(seen.calls, 0)
  t.same(await callDaemon(file, 'echo'), { params: {} })
})

t.test('a failure that is none of ours is internal, whatever it calls itself', async (t) => {
  const file = path.join(shortFolder(t), 'liar.sock')
  const error = { code: 'Not a code\n', message: 'x', retry: 'always' }
  const liar = createServer((socket) => socket.end(`${JSON.stringify({ id: 1, error })}\n`)).listen(file)
  t.teardown(() => liar.close())
  await t.rejects(callDaemon(file, 'status'), { code: 'internal', retry: 'never' })
})

t.test('a line that is too long ends its connection only', async (t) => {
  const { file } = await serve(t)
  const socket = connect(file)
  socket.on('error', () => undefined)
  socket.write(Buffer.alloc(1_300_000, 0x61))
  await new Promise((resolve) => socket.resume().once('close', resolve))
  t.same(await callDaemon(file, 'echo'), { params: {} })
})

t.test('a line that is nested too deeply ends its connection only', async (t) => {
  const { file, seen } = await serve(t)
  const socket = connect(file)
  socket.on('error', () => undefined)
  socket.write(`{"id":1,"method":"echo","params":{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}}\n`)
  await new Promise((resolve) => socket.resume().once('close', resolve))
  t.equal(seen.calls, 0)
  const brackets = { a: '"[{'.repeat(1_000) }
  t.same(await callDaemon(file, 'echo', brackets), { params: brackets }, 'in a string they are text')
})
