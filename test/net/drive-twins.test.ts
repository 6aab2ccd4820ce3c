/**
 * Two drives made by the same operations, each cut by `sync`, under clocks that stand still: whoever looks from outside
 * counts the same rows, records and messages of the same lengths, whatever the names are and (within a padding class) the sizes.
 */
import path from 'node:path'
import t, { type Test } from 'tap'
import { padme } from '../../src/segment/layout.js'
import { decodeFrame, FRAME } from '../../src/wire/frames.js'
import { DriveNet } from '../support/drive-net.js'
import { until } from '../support/named.js'
import { noiseBytes } from '../support/noise.js'
import { seededRandom } from '../support/ramp.js'
import { type Shape, shapeOfDatabase, shapeOfMessages, shapeOfVolumes } from '../support/shape.js'
import { WireTap } from '../support/wire-tap.js'

/** What differs between twins. */
interface Twin {
  seed: number
  /** A size of the class that this one falls into. */
  size(wanted: number): number
}

const SIZES = [300, 9_000, 66_000, 300_000, 1_200_000]

t.setTimeout(240_000)

function namesOf(seed: number): (length: number) => Buffer {
  const next = seededRandom(seed)
  // Neither zero nor a slash.
  return (length) => Buffer.from(Array.from({ length }, () => 0x30 + Math.floor(next() * 200)))
}

interface Seen {
  messages: { what: string; bodyBytes: number }[]
  frames: { what: string; bodyBytes: number }[]
  bridge: Shape
  hosts: Shape[]
  /** Which hosts keep one follows from who answered last. */
  witnesses: Shape[]
}

/** The whole life of one twin, in a network of its own. */
async function live(t: Test, twin: Twin): Promise<Seen> {
  let tap!: WireTap
  const frames: Seen['frames'] = []
  const net = await DriveNet.start(t, {
    standing: true,
    tap: (_from, _to, frame) => note(frames, frame),
    bridgeUrl: async (url) => {
      const made = await WireTap.start(Number(new URL(url).port))
      tap = made.tap
      return made.url
    },
  })
  t.teardown(() => tap.stop())
  const device = await net.newAccount()
  await device.open()
  const name = namesOf(twin.seed)
  const folder = name(20)
  const full = () => net.rows('SELECT 1 FROM segments WHERE stored < n').length === 0
  await device.hand.makeFolder([folder])
  for (const [at, wanted] of SIZES.entries()) {
    const file = [folder, name(10 + at)]
    await device.hand.write(file, noiseBytes(twin.seed + at, twin.size(wanted)))
    await device.hand.setXattr(file, Buffer.concat([Buffer.from('user.'), name(8)]), name(30))
    await device.hand.symlink([name(15)], name(40))
    await device.sync()
    await until(full)
    if (at === 2) await device.hand.rename(file, [folder, name(25)])
    if (at === 3) await device.hand.remove(file)
  }
  await device.sync()
  await device.close()
  for (const host of net.hosts) await host.stop()
  await net.world.stop()
  return {
    messages: tap.messages,
    frames,
    bridge: shapeOfDatabase(path.join(net.world.dir, 'bridge.db')),
    hosts: net.hosts.map((host) => ({
      ...shapeOfVolumes(path.join(host.dir, 'volumes')),
      ...prefixed('index', shapeOfDatabase(path.join(host.dir, 'index.db'))),
    })),
    witnesses: net.hosts.map((host) => shapeOfDatabase(path.join(host.dir, 'kept.db'))),
  }
}

function prefixed(name: string, shape: Shape): Shape {
  return Object.fromEntries(Object.entries(shape).map(([key, value]) => [`${name}.${key}`, value]))
}

/** Requests and replies by method; what carries their bodies follows from their lengths. */
function note(frames: Seen['frames'], bytes: Buffer): void {
  const { type, method, head, number } = decodeFrame(bytes)
  if (type === FRAME.request) frames.push({ what: `request ${method}`, bodyBytes: head.length + number })
  if (type === FRAME.response) frames.push({ what: 'response', bodyBytes: head.length + number })
  if (type === FRAME.error) frames.push({ what: 'error', bodyBytes: bytes.length })
}

/**
 * Receipts are told in as many calls as the disks of hosts happen to make of them; so are tokens asked for: counts of these
 * depend on the moment. Their lengths must be those of some number of receipts or hosts, and nothing else.
 */
const BATCHED: Record<string, { each: number; rest: number }> = {
  'POST /v1/drives/:id/commit': { each: 519, rest: 91 },
  'POST /v1/drives/:id/tokens': { each: 67, rest: 11 },
}
/** Replies of these say as much. */
const BATCHED_REPLIES = Object.keys(BATCHED).map((what) => `${what} reply`)

function steady(messages: Seen['messages']): Seen['messages'] {
  return messages.filter(({ what }) => !(what in BATCHED) && !BATCHED_REPLIES.includes(what))
}

function expectBatches(t: Test, messages: Seen['messages']): void {
  for (const { what, bodyBytes } of messages) {
    const form = BATCHED[what]
    if (form === undefined) continue
    const count = (bodyBytes - form.rest) / form.each
    if (!Number.isInteger(count) || count < 1 || count > 8) t.fail(`${what} of ${bodyBytes} bytes: ${count}`)
  }
  t.ok(messages.some(({ what }) => what in BATCHED))
}

function expectTwins(t: Test, one: Seen, other: Seen): void {
  t.same(other.bridge, one.bridge, 'every table of the bridge')
  t.ok(Object.keys(one.bridge).length > 25, 'which has some')
  for (const [at, host] of one.hosts.entries()) t.same(other.hosts[at], host, `host ${at}`)
  t.same(
    shapeOfMessages(steady(other.messages)),
    shapeOfMessages(steady(one.messages)),
    'messages to and from the bridge',
  )
  t.same(shapeOfMessages(other.frames), shapeOfMessages(one.frames), 'requests to and from hosts')
  t.ok(one.frames.length > 40 && one.messages.length > 40)
  for (const seen of [one, other]) {
    expectBatches(t, seen.messages)
    const kept = seen.witnesses.map((shape) => shape['witnesses.witness']).filter((lengths) => lengths !== undefined)
    t.ok(kept.length >= 3 && kept.every((lengths) => lengths === '166'), 'a few hosts keep one witness each')
  }
}

const exactly = (wanted: number) => wanted

/** The smallest of the class. */
function smallest(wanted: number): number {
  let size = wanted
  while (padme(size - 1) === padme(wanted)) size--
  return size
}

t.test('names and contents are other random bytes of the same lengths', async (t) => {
  const one = await live(t, { seed: 1, size: exactly })
  const other = await live(t, { seed: 2_000, size: exactly })
  expectTwins(t, one, other)
})

t.test('sizes are others of the same padding classes', async (t) => {
  const sizes = SIZES.map(padme)
  t.ok(sizes.every((size) => smallest(size) < size))
  const one = await live(t, { seed: 3, size: padme })
  const other = await live(t, { seed: 4_000, size: (wanted) => smallest(padme(wanted)) })
  expectTwins(t, one, other)
})
