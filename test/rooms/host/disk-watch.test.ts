/** A disk that fails in every way that disks do, under a host's watch. The probe is the real one, made to fail. */
import fs from 'node:fs'
import { constants } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { silentLog } from '../../../src/base/log.js'
import { type DiskHealth, DiskWatch, isLost, refusalOfDisk } from '../../../src/host/disk/disk-watch.js'
import { type DiskProbe, MARK_FILE, type Mark, VolumesProbe } from '../../../src/host/disk/probe.js'
import { hostId } from '../../../src/model/ids.js'
import { DrivenClock } from '../../support/driven-clock.js'
import { scratchDir } from '../../support/host-folder.js'

const HOST = hostId('ab'.repeat(32))

class FailingProbe implements DiskProbe {
  error: string | null = null
  writeMs = 0
  device = 0
  hangs = false
  private readonly real: VolumesProbe
  private readonly clock: DrivenClock

  constructor(dir: string, clock: DrivenClock) {
    this.real = new VolumesProbe(dir, HOST)
    this.clock = clock
  }

  async readMark(): Promise<Mark> {
    const mark = await this.real.readMark()
    return { ...mark, device: mark.device + this.device }
  }

  async write(): Promise<void> {
    if (this.hangs) return new Promise(() => {})
    if (this.error !== null) throw systemError(this.error)
    if (this.writeMs > 0) await this.clock.leap(this.writeMs)
    await this.real.write()
  }
}

/** As Node tells it: of a quota it knows the number and no name. */
function systemError(code: string): Error {
  const named = code === 'EDQUOT' ? { code: 'UNKNOWN', errno: -constants.errno.EDQUOT } : { code }
  return Object.assign(new Error(code), named)
}

function watched(t: { teardown(work: () => void): void }) {
  const dir = scratchDir(t)
  fs.writeFileSync(path.join(dir, MARK_FILE), `${HOST}\n`)
  const clock = new DrivenClock()
  const probe = new FailingProbe(dir, clock)
  const told: string[] = []
  const onChange = ({ state }: DiskHealth) => told.push(state)
  const watch = new DiskWatch({ probe, host: HOST, clock, log: silentLog, onChange })
  return { dir, clock, probe, told, watch }
}

t.test('a sound disk is fine, and the real probe writes to it', async (t) => {
  const { dir, watch, told } = watched(t)
  const health = await watch.check()
  t.match(health, { state: 'fine', why: null, writeMs: 0 })
  t.same(fs.readdirSync(dir).sort(), [MARK_FILE, 'probe'])
  t.same(told, [])
})

t.test('what the disk says is told once, with the reason, and again when it is well', async (t) => {
  const { probe, told, watch } = watched(t)
  const codes: [string, string, string][] = [
    ['EROFS', 'read-only', 'host-read-only'],
    ['ENOSPC', 'full', 'no-space'],
    ['EDQUOT', 'full', 'no-space'],
    ['EIO', 'failing', 'host-read-only'],
  ]
  for (const [error, state, code] of codes) {
    probe.error = error
    const health = await watch.check()
    await watch.check()
    t.equal(health.state, state)
    t.match(refusalOfDisk(health), { code, retry: 'elsewhere' })
    t.notOk(isLost(health), 'what is there can still be read')
    probe.error = null
    t.equal((await watch.check()).state, 'fine')
  }
  t.same(told, ['read-only', 'fine', 'full', 'fine', 'full', 'fine', 'failing', 'fine'])
})

t.test('a disk that is slow once is not slow; twice it is, and well when it is quick', async (t) => {
  const { probe, told, watch } = watched(t)
  probe.writeMs = 2_500
  t.equal((await watch.check()).state, 'fine')
  t.match(await watch.check(), { state: 'slow', why: /2\.5 s/, writeMs: 2_500 })
  t.match(refusalOfDisk(watch.health), { code: 'disk-slow' })
  probe.writeMs = 100
  t.equal((await watch.check()).state, 'fine')
  t.same(told, ['slow', 'fine'])
})

t.test('a disk that does not answer is slow, and is asked one thing at a time', async (t) => {
  const { clock, probe, watch } = watched(t)
  probe.hangs = true
  const first = watch.check()
  for (let turn = 0; turn < 50 && clock.sleeping === 0; turn++) await new Promise((resolve) => setTimeout(resolve, 5))
  await clock.advance(10_000)
  t.match(await first, { state: 'slow', why: /10\.0 s/ })
  await clock.advance(5_000)
  t.match(await watch.check(), { state: 'slow', why: /15\.0 s/ }, 'at once: the first question is still open')
})

t.test('a disk that is gone, of another host, or laid over by another, is lost', async (t) => {
  const { dir, probe, told, watch } = watched(t)
  await watch.check()
  fs.rmSync(path.join(dir, MARK_FILE))
  t.match(await watch.check(), { state: 'away', why: /ENOENT/ })
  t.ok(isLost(watch.health))
  t.match(refusalOfDisk(watch.health), { code: 'disk-away' })
  fs.writeFileSync(path.join(dir, MARK_FILE), `${'cd'.repeat(32)}\n`)
  t.match(await watch.check(), { state: 'foreign', why: /another host/ })
  fs.writeFileSync(path.join(dir, MARK_FILE), `${HOST}\n`)
  t.equal((await watch.check()).state, 'fine')
  probe.device = 1
  t.match(await watch.check(), { state: 'foreign', why: /another disk/ })
  t.same(told, ['away', 'foreign', 'fine', 'foreign'])
})

t.test('it looks every ten seconds by itself, and stops', async (t) => {
  const { clock, probe, told, watch } = watched(t)
  watch.start()
  probe.error = 'EROFS'
  const until = async (count: number) => {
    for (let turn = 0; turn < 400 && told.length < count; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 5))
      if (clock.sleeping > 0) await clock.advance(100)
    }
  }
  await until(1)
  probe.error = null
  await until(2)
  t.same(told, ['read-only', 'fine'])
  await watch.stop()
})
