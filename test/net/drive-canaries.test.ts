/** What the owner knows is nowhere else: names, content, keys and words are in no file of hosts and bridge, in no message, in no log. */
import { createHmac } from 'node:crypto'
import t from 'tap'
import { systemRandom } from '../../src/base/random.js'
import { openPhrase } from '../../src/crypto/phrase.js'
import type { SecretBytes } from '../../src/crypto/secret.js'
import { idBytes } from '../../src/model/ids.js'
import { readDeviceKeys } from '../../src/mount/account/drive-files.js'
import type { BoxDevice } from '../support/box-device.js'
import { DriveNet } from '../support/drive-net.js'
import { LeakSearch } from '../support/leak-search.js'
import { WireTap } from '../support/wire-tap.js'

const NAME_BYTES = 24
const CONTENT_BYTES = 32

t.setTimeout(240_000)

/** Any bytes that a name may hold. */
function randomName(): Buffer {
  return Buffer.from(systemRandom(NAME_BYTES).map((byte) => (byte === 0 || byte === 0x2f ? 0x41 : byte)))
}

/** Names and contents that the drive gets, each looked for. */
class Canaries {
  readonly search = new LeakSearch()
  readonly files: { path: Buffer[]; content: Buffer }[] = []

  name(): Buffer {
    const name = randomName()
    this.search.add(`name ${name.toString('hex')}`, name)
    return name
  }

  /** The canary at the start, in the middle (twice) and at the end of other bytes. */
  content(size: number): Buffer {
    const canary = systemRandom(CONTENT_BYTES)
    this.search.add(`content ${canary.toString('hex')}`, canary)
    const filler = Buffer.alloc(Math.max(0, (size - 4 * CONTENT_BYTES) >> 1), 0x55)
    return Buffer.concat([canary, filler, canary, canary, filler, canary])
  }
}

function bytesOf(secret: SecretBytes): Buffer {
  return secret.use((bytes) => Buffer.from(bytes))
}

async function addKeys(search: LeakSearch, device: BoxDevice): Promise<void> {
  const drive = device.drive
  if (drive === null) throw new Error('not open')
  search.add('phrase', Buffer.from(device.phrase))
  search.add('start of the phrase', Buffer.from(device.phrase.slice(0, 24)))
  const seed = bytesOf(await openPhrase(device.phrase))
  search.add('seed', seed.subarray(0, 32))
  for (const purpose of ['account', 'recovery', 'label']) {
    search.add(`${purpose} key`, createHmac('sha256', seed).update(`shardrive/v1/${purpose}`).digest())
  }
  const keys = await readDeviceKeys(device.dir)
  const deviceSeed = bytesOf(keys.seed)
  search.add('device seed', deviceSeed)
  search.add('label key', bytesOf(keys.labelKey))
  search.add('local key', createHmac('sha256', deviceSeed).update('shardrive/v1/local').digest())
  const term = bytesOf(drive.storage.terms.key(1))
  search.add('term key', term)
  search.add('batch key', createHmac('sha256', term).update('shardrive/v1/batch').digest())
}

async function fill(device: BoxDevice, canaries: Canaries, sizes: readonly number[]): Promise<void> {
  const folder = canaries.name()
  await device.hand.makeFolder([folder])
  for (const size of sizes) {
    const path = [folder, canaries.name()]
    const content = canaries.content(size)
    await device.hand.write(path, content)
    await device.hand.setXattr(path, Buffer.concat([Buffer.from('user.'), canaries.name()]), canaries.content(0))
    canaries.files.push({ path, content })
  }
  await device.hand.symlink([canaries.name()], canaries.name())
  const moved = canaries.files.at(-1) as { path: Buffer[] }
  const target = [folder, canaries.name()]
  await device.hand.rename(moved.path, target)
  moved.path = target
}

t.test('canaries stay at home', async (t) => {
  const frames: Buffer[] = []
  let tap!: WireTap
  const net = await DriveNet.start(t, {
    tap: (_from, _to, frame) => void frames.push(Buffer.from(frame)),
    bridgeUrl: async (url) => {
      const made = await WireTap.start(Number(new URL(url).port))
      tap = made.tap
      return made.url
    },
  })
  t.teardown(() => tap.stop())
  const canaries = new Canaries()
  const { search } = canaries
  const device = await net.newAccount()
  await device.open({ snapshotLogBytes: 1_000 })
  await fill(device, canaries, [10, 5_000, 70_000])
  await device.sync()
  await fill(device, canaries, [400_000, 1_500_000])
  await device.sync()
  await fill(device, canaries, [900])
  await device.sync()
  await addKeys(search, device)
  t.ok(net.records(device).filter((one) => one.kind === 7).length > 0, 'a snapshot was made')

  const second = await net.joinAccount(device, 'second')
  await second.open({ readOnly: true })
  for (const { path, content } of canaries.files) t.ok((await second.hand.read(path)).equals(content))
  await addKeys(search, second)
  const { segments } = await second.drive!.storage.ledger.stateOf(2)
  for (const segment of segments) {
    const term = bytesOf(second.drive!.storage.terms.key(1))
    const key = createHmac('sha256', term).update('shardrive/v1/segment').update(idBytes(segment)).digest()
    search.add('segment key', key)
  }

  t.ok(
    search.inFolder(device.dir).some((one) => one.includes('name')),
    'what is looked for can be found: at home',
  )
  const foreign = [net.world.dir, ...net.hosts.map((host) => host.dir)]
  t.same(
    foreign.flatMap((folder) => search.inFolder(folder)),
    [],
    'files while they run',
  )
  await second.close()
  await device.close()
  for (const host of net.hosts) await host.stop()
  await net.world.stop()
  t.same(
    foreign.flatMap((folder) => search.inFolder(folder)),
    [],
    'files after the last checkpoint',
  )

  t.ok(frames.length > 100 && tap.messages.length > 50, `${frames.length} frames, ${tap.messages.length} messages`)
  t.ok(tap.messages.some((one) => one.what.startsWith('POST /v1/drives/:id/chain')))
  t.same(search.inBytes(Buffer.concat(frames)), [], 'frames before DTLS')
  t.same(search.inBytes(Buffer.concat(tap.seen)), [], 'messages before TLS')
  t.ok(net.logs.length > 10, `${net.logs.length} lines`)
  t.same(search.inBytes(Buffer.from(net.logs.join(''))), [], 'logs of all processes')
})

t.test('the search finds what it is made for', async (t) => {
  const search = new LeakSearch()
  const secret = systemRandom(16)
  search.add('s', secret)
  const around = (offset: number, behind: number) => Buffer.concat([systemRandom(offset), secret, systemRandom(behind)])
  for (const offset of [0, 1, 2, 3, 31]) {
    for (const behind of [0, 1, 2]) {
      const whole = around(offset, behind)
      t.ok(search.inBytes(whole).includes('s raw'))
      t.ok(search.inBytes(Buffer.from(whole.toString('hex'))).includes('s hex'))
      t.ok(search.inBytes(Buffer.from(whole.toString('base64'))).some((one) => one.startsWith('s base64')))
      t.ok(search.inBytes(Buffer.from(whole.toString('base64url'))).some((one) => one.startsWith('s base64')))
      t.ok(search.inBytes(Buffer.from(whole.toString('latin1'), 'utf16le')).includes('s utf-16le'))
    }
  }
  t.same(search.inBytes(systemRandom(100_000)), [])
})
