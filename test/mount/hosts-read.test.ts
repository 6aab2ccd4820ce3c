// Reading while hosts die and come back: the drive of a real network at a real mount.
import { spawn } from 'node:child_process'
import fs from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { HostsProcess } from '../support/hosts-process.js'
import { noMounts } from '../support/mounts.js'
import { until } from '../support/named.js'
import { type OutsideRead, OutsideReader, timed, writeFile } from '../support/outside.js'
import { rampBytes } from '../support/ramp.js'

const skip = noMounts()
const MIB = 1_048_576
const LARGE = 64 * MIB
const SEED = 4_711

t.setTimeout(280_000)

t.test('a network that loses its hosts', { skip, timeout: 100_000 }, async (t) => {
  const network = await HostsProcess.start(t)
  const { mount } = network.facts
  const bytes = rampBytes(SEED, LARGE)
  const small = rampBytes(SEED + 1, 3 * MIB)
  await writeFile(path.join(mount, 'large'), bytes)
  await writeFile(path.join(mount, 'other'), bytes.subarray(0, 32 * MIB))
  await fs.mkdir(path.join(mount, 'folder'))
  for (let at = 0; at < 40; at++) await fs.writeFile(path.join(mount, 'folder', `file ${at}`), `content of ${at}`)
  await writeFile(path.join(mount, 'small'), small)
  const syncMs = await timed(async () => t.equal((await network.command(['sync', '--complete'])).status, 0))
  t.comment(`sync --complete of ${LARGE / MIB + 35} MiB took ${syncMs} ms`)
  const cold = await network.mountFromPhrase('cold')
  const inCold = (name: string) => path.join(cold.mount, name)

  await t.test('n-k hosts killed under a cold read: every byte is right', async (t) => {
    const reader = new OutsideReader(inCold('large'), bytes)
    await until(() => reader.bytes > 8 * MIB, 30_000)
    let before = reader.bytes
    const killedAtMs = performance.now()
    await Promise.all([0, 2, 4, 6].map((at) => network.killHost(at)))
    // What the kernel had ahead comes first.
    let longestGapMs = 0
    let lastMs = performance.now()
    const watch = setInterval(() => {
      if (reader.bytes !== before) lastMs = performance.now()
      before = reader.bytes
      longestGapMs = Math.max(longestGapMs, performance.now() - lastMs)
    }, 10)
    const read = await reader.ended
    clearInterval(watch)
    t.match(read, { status: 0, wrongAt: -1, bytes: LARGE })
    t.comment(
      `read ${LARGE / MIB} MiB in ${read.tookMs} ms, ${Math.round(performance.now() - killedAtMs)} ms of it after the kill, longest pause ${Math.round(longestGapMs)} ms`,
    )
  })

  await t.test('a fifth dead host: what is not here ends within 30 s, all else is instant', async (t) => {
    const kept = new OutsideReader(inCold('small'), small)
    t.match(await kept.ended, { status: 0, wrongAt: -1 })
    await network.killHost(1)
    const readers = Array.from({ length: 16 }, () => new OutsideReader(inCold('other'), bytes.subarray(0, 32 * MIB)))
    const victims = Array.from({ length: 2 }, () => new OutsideReader(inCold('other'), bytes.subarray(0, 32 * MIB)))
    await new Promise((resolve) => setTimeout(resolve, 300))
    const took: Record<string, number> = {}
    took.ls = await timed(() => outside('ls', '-lR', cold.mount))
    took.stat = await timed(() => outside('stat', inCold('large')))
    took.df = await timed(() => outside('df', cold.mount))
    took.cached = await timed(async () =>
      t.match(await new OutsideReader(inCold('small'), small).ended, { status: 0, wrongAt: -1 }),
    )
    took.metadata = await timed(() => fs.readdir(inCold('folder')))
    t.comment(JSON.stringify(took))
    for (const [what, ms] of Object.entries(took)) t.ok(ms < LOOK_MS, `${what} took ${ms} ms`)
    t.equal(readers.filter((one) => one.child.exitCode === null).length, readers.length, 'all reads hang meanwhile')
    for (const [at, signal] of (['SIGINT', 'SIGKILL'] as const).entries()) {
      const victim = victims[at] as OutsideReader
      const endedMs = await timed(async () => {
        victim.child.kill(signal)
        t.equal((await victim.ended).signal, signal)
      })
      t.ok(endedMs < 500, `${signal} ended a reader in ${endedMs} ms`)
    }
    for (const read of await Promise.all(readers.map((one) => one.ended))) {
      t.equal(read.status, 1)
      t.match(read.stderr, /Input\/output error/)
      t.equal(read.wrongAt, -1)
      t.ok(read.tookMs < 30_000, `ended after ${read.tookMs} ms`)
    }
    t.comment(`reads ended after ${readers.map((one) => one.bytes).join(' ')} bytes`)
  })

  await t.test('hosts that come back are read again, without a remount', async (t) => {
    for (const at of [0, 1, 2]) await network.startHost(at)
    // What could not be had a moment ago is refused for some seconds more; never is anything wrong.
    let last: OutsideRead | null = null
    const tookMs = await timed(() =>
      until(async () => {
        last = await new OutsideReader(inCold('other'), bytes.subarray(0, 32 * MIB)).ended
        t.equal(last.wrongAt, -1)
        return last.status === 0
      }, 15_000),
    )
    t.match(last, { status: 0, bytes: 32 * MIB })
    t.comment(`read 32 MiB ${tookMs} ms after the hosts returned`)
  })
})

/** Of a look at what is here, processes included: 2 cores that also run 10 other processes. */
const LOOK_MS = 1_000

function outside(program: string, ...words: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, { stdio: 'ignore', timeout: 20_000 })
    child.once('error', reject)
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${program}: ${code}`))))
  })
}
