/** A daemon that stands still is told from one that works: how long the work takes says nothing of it. */
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import t, { type Test } from 'tap'
import { askDaemon, workWithDaemon } from '../../../src/app/daemon-answers.js'
import { AppError, codeOf } from '../../../src/base/errors.js'
import { silentLog } from '../../../src/base/log.js'
import { type ControlMethods, ControlServer } from '../../../src/mount/control/server.js'

/** Many looks in the time that one piece of work takes; a machine that is busy may be late for a second. */
const LIMITS = { answerMs: 5_000, lookMs: 5 }
const WORK_MS = 300

function place(t: Test) {
  const folder = fs.mkdtempSync('/tmp/shardrive-answers-')
  t.teardown(() => fs.rmSync(folder, { recursive: true, force: true }))
  const control = path.join(folder, 'sock')
  return { state: folder, mountPoint: '/mnt/drive', control, pid: process.pid }
}

async function daemon(t: Test, methods: ControlMethods) {
  const drive = place(t)
  const server = await ControlServer.listen(drive.control, methods, silentLog)
  t.teardown(() => server.stop())
  return drive
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** As one that was sent SIGSTOP: the kernel takes the connection, and nobody reads from it. */
async function stoppedDaemon(t: Test) {
  const drive = place(t)
  const sockets: net.Socket[] = []
  const server = net.createServer({ pauseOnConnect: true }, (socket) => void sockets.push(socket))
  await new Promise<void>((resolve) => server.listen(drive.control, resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return drive
}

t.test('work takes its time, with and without progress, as long as the daemon says that it lives', async (t) => {
  let looks = 0
  const alive = async () => ({ looks: ++looks })
  const work: ControlMethods[string] = async (call) => {
    for (let at = 0; at < 3; at++) {
      await sleep(WORK_MS / 3)
      if (call.params.tells === true) call.progress({ at })
    }
    return { done: true }
  }
  const drive = await daemon(t, { alive, work })
  t.same(await workWithDaemon(drive, 'work', {}, {}, LIMITS), { done: true })
  t.ok(looks > 1, 'it was looked at again and again')
  const told: unknown[] = []
  const progress = (value: object) => void told.push(value)
  t.same(await workWithDaemon(drive, 'work', { tells: true }, { progress }, LIMITS), { done: true })
  t.same(told, [{ at: 0 }, { at: 1 }, { at: 2 }])
})

t.test('a daemon of an older release knows no such question, and lives', async (t) => {
  const work = async () => {
    await sleep(WORK_MS)
    return { done: true }
  }
  const drive = await daemon(t, { work })
  t.same(await workWithDaemon(drive, 'work', {}, {}, LIMITS), { done: true })
})

t.test('a daemon that stands still is silent, from the beginning or in the middle of its work', async (t) => {
  const silent = { code: 'daemon-silent', retry: 'later', hint: /unmount \/mnt\/drive --force/ }
  const limits = { answerMs: 50, lookMs: 5 }
  const drive = await stoppedDaemon(t)
  await t.rejects(workWithDaemon(drive, 'work', {}, {}, limits), silent)
  await t.rejects(askDaemon(drive, 'status', {}, { answerMs: 50 }), silent)
  let isStanding = false
  const standing = await daemon(t, {
    alive: () => (isStanding ? new Promise<object>(() => undefined) : Promise.resolve({})),
    work: (call) => {
      call.progress({})
      isStanding = true
      return new Promise<object>(() => undefined)
    },
  })
  await t.rejects(workWithDaemon(standing, 'work', {}, {}, limits), silent)
})

t.test('who stops waiting is told so, and what the work fails with passes', async (t) => {
  const fails = async () => {
    throw new AppError('no-space', 'full')
  }
  const hangs = () => new Promise<object>(() => undefined)
  const drive = await daemon(t, { alive: async () => ({}), fails, hangs })
  t.equal(await workWithDaemon(drive, 'fails', {}, {}, LIMITS).catch(codeOf), 'no-space')
  const stop = new AbortController()
  const reason = new Error('enough')
  const work = workWithDaemon(drive, 'hangs', {}, { signal: stop.signal }, LIMITS)
  setTimeout(() => stop.abort(reason), 20)
  await t.rejects(work, reason)
})
