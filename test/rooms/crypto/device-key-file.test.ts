import t from 'tap'
import { systemRandom } from '../../../src/base/random.js'
import {
  type DeviceKeys,
  decodeDeviceKeyFile,
  deviceKeyFileIsProtected,
  encodeDeviceKeyFile,
} from '../../../src/crypto/device-key-file.js'
import { SecretBytes } from '../../../src/crypto/secret.js'
import { revealed, secretOf } from '../../support/secrets.js'
import { hex, readVectors } from '../../support/vectors.js'

interface Golden {
  seed: string
  labelKey: string
  bare: string
  passphrase: string
  cost: { opsLimit: number; memoryKiB: number }
  salt: string
  nonce: string
  protected: string
  broken: { name: string; file: string; passphrase?: string; code: string }[]
}
const golden = readVectors<Golden>('device-key/device-key')
const words = (text: string) => SecretBytes.take(Buffer.from(text))
const keys = (): DeviceKeys => ({ seed: secretOf(golden.seed), labelKey: secretOf(golden.labelKey) })
const shown = (one: DeviceKeys) => [revealed(one.seed), revealed(one.labelKey)]

t.test('golden files are written and read to the byte', async (t) => {
  t.equal((await encodeDeviceKeyFile(keys(), systemRandom)).toString('hex'), golden.bare)
  const random = (size: number) => hex(size === 16 ? golden.salt : golden.nonce)
  const protection = { passphrase: words(golden.passphrase), cost: golden.cost }
  t.equal((await encodeDeviceKeyFile(keys(), random, protection)).toString('hex'), golden.protected)
  t.same(shown(await decodeDeviceKeyFile(hex(golden.bare))), [golden.seed, golden.labelKey])
  const opened = await decodeDeviceKeyFile(hex(golden.protected), words(golden.passphrase))
  t.same(shown(opened), [golden.seed, golden.labelKey])
  t.notOk(deviceKeyFileIsProtected(hex(golden.bare)))
  t.ok(deviceKeyFileIsProtected(hex(golden.protected)))
})

for (const { name, file, passphrase, code } of golden.broken) {
  t.test(`refused with ${code}: ${name}`, async (t) => {
    const secret = passphrase === undefined ? undefined : words(passphrase)
    await t.rejects(decodeDeviceKeyFile(hex(file), secret), { code })
  })
}

t.test('the default cost is 256 MiB and three passes, and opens again', async (t) => {
  const file = await encodeDeviceKeyFile(keys(), systemRandom, { passphrase: words('open sesame') })
  t.same([file.readUInt32BE(6), file.readUInt32BE(10)], [3, 262_144])
  t.same(shown(await decodeDeviceKeyFile(file, words('open sesame'))), [golden.seed, golden.labelKey])
})
