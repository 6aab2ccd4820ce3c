// The disk under the state directory is full from the moment at which the drive arrives at a failpoint, for each of them: writers are
// told ENOSPC and nothing else, reads and looks go on, nothing that was taken is lost, and it goes on without a restart.
import t, { type Test } from 'tap'
import { differences, manifestOf } from '../support/drive-manifest.js'
import { Lab } from '../support/drive-process.js'
import { type DriveSettings, FullDiskBench, Hand, untilTaken } from '../support/full-disk-bench.js'
import type { FileFacts } from '../support/full-disk-child.js'
import { quotaEnv } from '../support/full-disk-quota.js'
import { noMounts } from '../support/mounts.js'
import { noRecorder } from '../support/power-log.js'
import { sleep } from '../support/programs.js'
import { mountSmallDisk, noSmallDisks } from '../support/small-disk.js'

const MIB = 1_048_576
/** More than the cache leaves to others (512 MiB), so that there is one. */
const DISK_BYTES = 1_024 * MIB
/** The disk stays full so long. */
const FULL_MS = 3_000
const REACHED_MS = 45_000
const TOLD_SHARE_MIN = 0.7
/** A group is tried again each second. */
const GOES_ON_MS = 10_000
const SETTINGS: DriveSettings = { cacheBytes: 4 * MIB, snapshotLogBytes: 1_000 }
const KEPT: readonly number[] = [0, 1, 4_000, 70_000, 300_000, 3 * MIB, 9 * MIB]

type Reach = 'small' | 'large' | 'sync' | 'read' | 'flood'

interface Stage {
  point: string
  reach: Reach
  settings?: DriveSettings
}

const stagesOf = (reach: Reach, ...points: string[]): Stage[] => points.map((point) => ({ point, reach }))

const WORK: readonly Stage[] = [
  ...stagesOf('small', 'mount.stage.taken', 'mount.stage.handed', 'mount.staged.written', 'mount.log.written'),
  ...stagesOf('small', 'mount.commit.begun', 'mount.commit.written', 'mount.commit.done'),
  ...stagesOf('small', 'mount.sync.begun', 'sqlite.flush.begun', 'mount.sync.done'),
  ...stagesOf('large', 'mount.checkpointer.begun', 'mount.checkpointer.done'),
  ...stagesOf('flood', 'mount.checkpoint.begun', 'mount.checkpoint.done', 'mount.vacuum.done'),
  ...stagesOf('sync', 'mount.cut.begun', 'mount.seal.done', 'mount.seal.noted', 'mount.push.placed'),
  ...stagesOf('sync', 'mount.push.receipt', 'mount.push.told', 'mount.push.stored', 'mount.publish.begun'),
  ...stagesOf('sync', 'mount.publish.stored', 'mount.publish.prepared', 'mount.publish.recorded', 'mount.chain.signed'),
  ...stagesOf('sync', 'mount.publish.appended', 'mount.publish.turned', 'mount.publish.marked', 'mount.chain.kept'),
  ...stagesOf('sync', 'mount.publish.adopted', 'mount.alone.done', 'mount.snapshot.exported', 'mount.snapshot.stored'),
  ...stagesOf('sync', 'mount.snapshot.appended', 'mount.snapshot.adopted', 'mount.snapshot.recorded'),
  ...stagesOf('read', 'mount.cache.kept', 'mount.cache.put', 'mount.cache.dropped', 'mount.cache.evicted'),
]

/** A used-up quota is a full disk: a few of the same. */
const QUOTA: readonly Stage[] = [
  ...stagesOf('small', 'mount.stage.taken', 'mount.commit.begun', 'mount.sync.begun'),
  ...stagesOf('large', 'mount.checkpointer.begun'),
  ...stagesOf('sync', 'mount.cut.begun', 'mount.seal.done', 'mount.publish.prepared', 'mount.publish.appended'),
  ...stagesOf('read', 'mount.cache.put'),
]

class Scene {
  readonly bench: FullDiskBench
  readonly writer: Hand
  readonly reader: Hand
  readonly kept: FileFacts[]
  /** Taken, and not removed since. */
  readonly taken = new Map<string, FileFacts>()
  readonly rows: string[] = []
  /** Stages in which writers were refused. */
  told = 0
  private number = 0

  constructor(t: Test, bench: FullDiskBench) {
    this.bench = bench
    this.writer = new Hand(t)
    this.reader = new Hand(t)
    this.kept = KEPT.map((size, at) => ({ name: `${bench.mount}/kept-${at}`, seed: 1_000 + at, size }))
  }

  file(size: number): FileFacts {
    this.number++
    return { name: `${this.bench.mount}/f${this.number}`, seed: this.number, size }
  }

  async write(size: number): Promise<string[]> {
    const file = this.file(size)
    const { taken, codes } = await this.writer.write(file)
    if (taken) this.taken.set(file.name, file)
    return codes
  }

  async reach(how: Reach): Promise<void> {
    const { bench, kept } = this
    if (how === 'small') await this.write(60_000)
    else if (how === 'large') await this.write(8 * MIB)
    else if (how === 'read') for (const file of kept) await this.reader.read(file)
    else if (how === 'sync') {
      await this.write(300_000)
      await Promise.race([bench.lab.sync(bench.state).catch(() => undefined), sleep(500)])
    } else {
      for (let count = 0; count < 16; count++) await this.write(8 * MIB)
      await Promise.race([bench.lab.sync(bench.state).catch(() => undefined), sleep(10_000)])
      await this.removeLarge()
      await sleep(3_000)
    }
  }

  async removeLarge(): Promise<void> {
    for (const { name, size } of [...this.taken.values()]) {
      if (size < MIB || (await this.writer.remove(name)).code !== '') continue
      this.taken.delete(name)
    }
  }

  /** What is wrong with what was taken. */
  async lost(): Promise<string[]> {
    const wrong: string[] = []
    for (const file of [...this.taken.values(), ...this.kept]) {
      const { code, wrong: isWrong } = await this.reader.read(file)
      if (code !== '' || isWrong) wrong.push(`${file.name}: ${code || 'other bytes'}`)
    }
    return wrong
  }
}

/** What a writer may be told. Behind a checkpoint the log's file has room of its own, and for a while all is taken. */
const strange = (codes: Iterable<string>) => [...new Set(codes)].filter((code) => code !== '' && code !== 'ENOSPC')

async function whileFull(t: Test, scene: Scene): Promise<{ refused: number; taken: number; readOnly: unknown }> {
  const { bench, writer, reader } = scene
  const codes: string[] = []
  const wrong: string[] = []
  const endsMs = performance.now() + FULL_MS
  const write = async () => {
    for (let turn = 0; performance.now() < endsMs; turn++) {
      codes.push(...(await scene.write([2_000, 300_000, 2 * MIB][turn % 3] as number)))
      codes.push(...(await writer.change(bench.mount)).codes)
      await sleep(20)
    }
  }
  const read = async () => {
    for (let turn = 0; performance.now() < endsMs; turn++) {
      const file = scene.kept[turn % scene.kept.length] as FileFacts
      const answer = await reader.read(file)
      if (answer.code !== '' || answer.wrong) wrong.push(`${file.name}: ${answer.code || 'other bytes'}`)
      const looked = await reader.look(bench.mount)
      if (looked.code !== '') wrong.push(`a look: ${looked.code}`)
      await sleep(50)
    }
  }
  await Promise.all([write(), read()])
  const { readOnly } = await bench.status()
  t.same(strange(codes), [], 'writers are told ENOSPC and nothing else')
  t.same(wrong, [], 'reads and looks go on')
  return {
    refused: codes.filter((code) => code === 'ENOSPC').length,
    taken: codes.filter((code) => code === '').length,
    readOnly,
  }
}

async function goesOn(t: Test, scene: Scene): Promise<{ wentOnMs: number; storedMs: number }> {
  const { bench } = scene
  bench.spare()
  const wentOnMs = await untilTaken(scene.writer, () => scene.file(200_000), GOES_ON_MS)
  const startedMs = performance.now()
  await bench.lab.sync(bench.state)
  const storedMs = Math.round(performance.now() - startedMs)
  t.same(await scene.lost(), [], 'everything that was taken is there')
  t.match(await bench.status(), { readOnly: null, trouble: null })
  t.same(await bench.lab.findings(bench.state), [], 'fsck')
  t.notMatch(bench.log, /disk-failing|did not end cleanly|thread ended|"code":"internal"/)
  return { wentOnMs, storedMs }
}

async function stage(t: Test, scene: Scene, { point, reach, settings = SETTINGS }: Stage): Promise<void> {
  const { bench } = scene
  await bench.start(point, settings)
  t.teardown(() => bench.end())
  let isThere = false
  const arrived = bench.fillAtStop(REACHED_MS).then((is) => {
    isThere = true
    return is
  })
  while (!isThere) await scene.reach(reach)
  t.ok(await arrived, `the drive comes to ${point}`)
  const { refused, taken, readOnly } = await whileFull(t, scene)
  const { wentOnMs, storedMs } = await goesOn(t, scene)
  await scene.removeLarge()
  t.equal(await bench.stop(), 0, 'it ends')
  const seen = `ENOSPC ${refused}, taken ${taken}`
  if (refused > 0) scene.told++
  scene.rows.push(`| ${point} | ${seen} | ${readOnly === null ? 'no' : 'yes'} | ${wentOnMs} ms | ${storedMs} ms |`)
}

async function sceneOf(t: Test, env: Record<string, string> = {}): Promise<Scene> {
  const lab = new Lab(t)
  const { facts: network } = await lab.up()
  const disk = lab.made('disk')
  mountSmallDisk(t, disk, DISK_BYTES)
  const bench = new FullDiskBench(lab, network, { disk, mount: lab.made('mnt') }, env)
  const scene = new Scene(t, bench)
  await bench.start('', SETTINGS)
  for (const file of scene.kept) t.ok((await scene.writer.write(file)).taken)
  await lab.sync(bench.state)
  t.equal(await bench.stop(), 0)
  return scene
}

/** Some only: a part of the name of their failpoints. */
const only = process.env.STAGE ?? ''
const chosen = (all: readonly Stage[]) => all.filter(({ point }) => point.includes(only))

async function stages(t: Test, scene: Scene, all: readonly Stage[]): Promise<void> {
  for (const one of chosen(all)) await t.test(one.point, (t) => stage(t, scene, one))
  t.ok(scene.told >= TOLD_SHARE_MIN * chosen(all).length, `writers were told in ${scene.told} stages`)
  t.comment('| full at | the writer saw | read-only | went on after | stored after |')
  t.comment('| --- | --- | --- | --- | --- |')
  for (const row of scene.rows) t.comment(row)
}

const skip = noSmallDisks() || noMounts()
t.setTimeout(3_000_000)

t.test('S-15 a disk that is full at each step of a drive that works', { skip }, async (t) => {
  const scene = await sceneOf(t)
  const { bench } = scene
  await stages(t, scene, WORK)
  await bench.start('', SETTINGS)
  const before = await manifestOf(bench.mount)
  const again = bench.lab.made('again')
  await bench.lab.sync(bench.state)
  t.equal(await bench.stop(), 0)
  const recovered = await bench.lab.mount({ mount: again, state: bench.lab.path('recovered'), network: bench.network })
  t.same(differences(before, await manifestOf(again)), [], 'a recovery finds all of it')
  t.equal(await recovered.stop(), 0)
})

t.test('S-15 the same when it is the quota of the user that is used up', { skip: skip || noRecorder() }, async (t) => {
  await stages(t, await sceneOf(t, quotaEnv(t.testdir())), QUOTA)
})
