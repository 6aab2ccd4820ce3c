/** Requests that were not sent when their connection ended, where it can be said exactly when it ends. */
import t, { type Test } from 'tap'
import { systemClock } from '../../../src/base/clock.js'
import { AppError } from '../../../src/base/errors.js'
import { type PeerId, peerId } from '../../../src/model/ids.js'
import type { Dialer, FrameLink, LinkListener } from '../../../src/rtc/link.js'
import { PeerNetwork } from '../../../src/rtc/peer-network.js'
import { decodeFrame, FRAME, writeFrame } from '../../../src/wire/frames.js'

const EMPTY = Buffer.alloc(0)
const PEER = peerId('cd'.repeat(32))
/** More than a channel may have buffered: nothing leaves. */
const FULL_BYTES = 2_097_152

/** A link that the test ends, fills and answers on. */
class HandLink implements FrameLink {
  listener: LinkListener | undefined
  sent: number[] = []
  isFull = false
  takes = true

  send(frame: Buffer): boolean {
    if (!this.takes) return false
    const { type, id } = decodeFrame(Buffer.from(frame))
    if (type !== FRAME.request) return true
    this.sent.push(id)
    const target = Buffer.alloc(64)
    const reply = { type: FRAME.response, flags: 3, method: 0, id, number: 0, windowKib: 0 }
    const size = writeFrame(target, reply, EMPTY, EMPTY)
    setImmediate(() => this.listener?.onMessage(target.subarray(0, size)))
    return true
  }
  bufferedBytes(): number {
    return this.isFull ? FULL_BYTES : 0
  }
  attach(listener: LinkListener): void {
    this.listener = listener
  }
  end(): void {
    this.listener?.onClosed()
  }
  close(): void {}
}

type Dial = (count: number) => FrameLink | Promise<FrameLink>

function network(t: Test, dial: Dial) {
  let dials = 0
  const dialer: Dialer<PeerId> = {
    dial: async () => dial(++dials),
    accept: () => {},
    stop: async () => {},
  }
  const peers = new PeerNetwork({ dialer, clock: systemClock })
  // Deadlines do not keep a process alive.
  const alive = setInterval(() => {}, 1_000)
  t.teardown(async () => {
    await peers.stop()
    clearInterval(alive)
  })
  const ask = (deadlineMs = 20_000) => peers.request(PEER, { method: 1, head: EMPTY, deadlineMs })
  return { peers, ask, dials: () => dials }
}

function diesAtOnce(): FrameLink {
  const link = new HandLink()
  link.attach = (listener) => listener.onClosed()
  return link
}

t.test('a peer that lets every connection end is given up after three', async (t) => {
  const { peers, ask, dials } = network(t, diesAtOnce)
  const asked = [ask(), ask(), ask()]
  for (const one of asked) await t.rejects(one, { code: 'peer-lost', retry: 'elsewhere' })
  t.equal(dials(), 3, 'for all of them together')
  t.same([peers.usage().askingBytes, peers.usage().connections], [0, 0])
})

t.test('requests behind a full channel leave in their order when the next connection has room', async (t) => {
  const full = new HandLink()
  const roomy = new HandLink()
  full.isFull = true
  const { ask, dials } = network(t, (count) => (count === 1 ? full : roomy))
  const done: number[] = []
  // A turn each for 64, the others wait for one.
  const asked = Array.from({ length: 100 }, (_, i) => ask().then(() => done.push(i)))
  await new Promise((resolve) => setImmediate(resolve))
  full.end()
  await Promise.all(asked)
  t.same(
    done,
    done.map((_, i) => i),
  )
  t.same([full.sent.length, roomy.sent.length, dials()], [0, 100, 2])
})

t.test('a request whose first frame the channel refuses was not sent', async (t) => {
  const deaf = new HandLink()
  deaf.takes = false
  const { ask, dials } = network(t, (count) => (count === 1 ? deaf : new HandLink()))
  await Promise.all([ask(), ask()])
  t.equal(dials(), 2)
})

t.test('a dial that fails ends those that wait for it at once, with what it says', async (t) => {
  const full = new HandLink()
  full.isFull = true
  const { ask, dials } = network(t, (count) => {
    if (count === 1) return full
    throw new AppError('fingerprint-mismatch', 'somebody else', { retry: 'never' })
  })
  const asked = [ask(), ask()]
  await new Promise((resolve) => setImmediate(resolve))
  full.end()
  for (const one of asked) await t.rejects(one, { code: 'fingerprint-mismatch' })
  t.equal(dials(), 2)
})

t.test('the deadline counts from the call, whatever connection it waits for', async (t) => {
  const full = new HandLink()
  full.isFull = true
  const { ask } = network(t, (count) => (count === 1 ? full : new Promise(() => {})))
  const asked = ask(300)
  await new Promise((resolve) => setImmediate(resolve))
  full.end()
  await t.rejects(asked, { code: 'timed-out' })
})

t.test('stop rejects what waits with `stopped`, and dials nobody', async (t) => {
  const full = new HandLink()
  full.isFull = true
  const { peers, ask, dials } = network(t, () => full)
  const asked = Array.from({ length: 100 }, () => ask())
  await new Promise((resolve) => setImmediate(resolve))
  const refused = Promise.all(asked.map((one) => t.rejects(one, { code: 'stopped' })))
  await peers.stop()
  await refused
  t.equal(dials(), 1)
})
