import t from 'tap'
import { systemRandom } from '../../../src/base/random.js'
import { openCached, openStaged, sealCached, sealStaged } from '../../../src/crypto/at-rest.js'
import { BoxKey, wrapKey } from '../../../src/crypto/box-key.js'
import * as keys from '../../../src/crypto/keys.js'
import { openPhrase } from '../../../src/crypto/phrase.js'
import { boxPublicKeyOf, verifySignature } from '../../../src/crypto/signing-key.js'
import { driveId, hostId, segmentId } from '../../../src/model/ids.js'
import { openDriveLabel, sealDriveLabel } from '../../../src/permits/drive-label.js'
import { pseudonymOf } from '../../../src/permits/pseudonym.js'
import { keyOf, revealed, secretOf } from '../../support/secrets.js'
import { hex, readVectors } from '../../support/vectors.js'

type Name =
  | 'phrase'
  | 'seed'
  | 'accountPublic'
  | 'recoverySeed'
  | 'recoveryPublic'
  | 'labelKey'
  | 'deviceSeed'
  | 'devicePublic'
  | 'deviceBoxPublic'
  | 'localKey'
  | 'stagedKey'
  | 'cacheKey'
  | 'termKey'
  | 'segment'
  | 'segmentKey'
  | 'batchKey'
  | 'wrapToDevice'
  | 'wrapToRecovery'
  | 'drive'
  | 'host'
  | 'pseudonym'
  | 'driveName'
  | 'driveOfName'
  | 'driveLabel'
const golden = readVectors<Record<Name, string> & { staged: Sealed; cached: Sealed }>('keys/keys')
interface Sealed {
  id: number
  unit: number
  plain: string
  sealed: string
}

t.test('every key comes out of the phrase and the seeds as written in the format', async (t) => {
  const seed = await openPhrase(golden.phrase)
  t.equal(revealed(seed), golden.seed)
  t.equal(keys.deriveAccountKey(seed).id, golden.accountPublic)
  t.equal(revealed(keys.deriveRecoverySeed(seed)), golden.recoverySeed)
  t.equal(keys.deriveRecoveryKey(seed).publicKey.toString('hex'), golden.recoveryPublic)
  t.equal(revealed(keys.deriveLabelKey(seed)), golden.labelKey)
  t.equal(keys.deriveDriveId(keys.deriveLabelKey(seed), golden.driveName).toString('hex'), golden.driveOfName)
  const all = keys.derivePhraseKeys(seed)
  t.equal(all.account.id, golden.accountPublic)
  t.equal(revealed(all.label), golden.labelKey)
  all.wipe()

  const deviceSeed = secretOf(golden.deviceSeed)
  const device = keyOf(golden.deviceSeed)
  t.equal(device.id, golden.devicePublic)
  t.equal(device.boxKey().publicKey.toString('hex'), golden.deviceBoxPublic)
  const localKey = keys.deriveLocalKey(deviceSeed)
  t.equal(revealed(localKey), golden.localKey)
  t.equal(revealed(keys.deriveStagedKey(localKey)), golden.stagedKey)
  t.equal(revealed(keys.deriveCacheKey(localKey)), golden.cacheKey)

  const termKey = secretOf(golden.termKey)
  t.equal(revealed(keys.deriveSegmentKey(termKey, segmentId(golden.segment))), golden.segmentKey)
  t.equal(revealed(keys.deriveBatchKey(termKey)), golden.batchKey)
  t.equal(pseudonymOf(driveId(golden.drive), hostId(golden.host)), golden.pseudonym)
})

t.test('golden wraps open with the keys they were sealed to, and with no other', async (t) => {
  const device = keyOf(golden.deviceSeed)
  t.equal(revealed(device.boxKey().unwrap(hex(golden.wrapToDevice))), golden.termKey)
  const recovery = BoxKey.fromSeed(secretOf(golden.recoverySeed))
  t.equal(revealed(recovery.unwrap(hex(golden.wrapToRecovery))), golden.termKey)
  t.throws(() => recovery.unwrap(hex(golden.wrapToDevice)), { code: 'wrap-broken' })
  t.throws(() => recovery.unwrap(hex(golden.wrapToRecovery).subarray(1)), { code: 'wrap-broken' })
})

t.test('a fresh wrap opens, and two wraps of one key differ', async (t) => {
  const device = keyOf(1)
  const key = keys.drawTermKey(systemRandom)
  const [one, two] = [wrapKey(key, boxPublicKeyOf(device.publicKey)), wrapKey(key, boxPublicKeyOf(device.publicKey))]
  t.notSame(one, two)
  t.ok(device.boxKey().unwrap(one).equals(key))
  t.throws(() => wrapKey(key, Buffer.alloc(32)), { code: 'malformed' }, 'not to a key that everybody has')
  t.throws(() => boxPublicKeyOf(Buffer.alloc(32)), { code: 'malformed' })
})

t.test('staged rows, cached units and drive labels open as written in the format', async (t) => {
  const local = secretOf(golden.localKey)
  const { staged, cached } = golden
  t.equal(openStaged(keys.deriveStagedKey(local), staged.id, hex(staged.sealed)).toString(), staged.plain)
  const cacheKey = keys.deriveCacheKey(local)
  const segment = segmentId(golden.segment)
  t.equal(openCached(cacheKey, segment, cached.unit, hex(cached.sealed)).toString(), cached.plain)
  t.equal(openDriveLabel(secretOf(golden.labelKey), driveId(golden.drive), hex(golden.driveLabel)), golden.driveName)
})

t.test('a row at rest opens only as the row that it was sealed as', async (t) => {
  const key = secretOf(golden.stagedKey)
  const segment = segmentId(golden.segment)
  const row = sealStaged(key, 1, Buffer.from('row'), systemRandom)
  t.equal(openStaged(key, 1, row).toString(), 'row')
  t.throws(() => openStaged(key, 2, row), { code: 'seal-broken' })
  t.throws(() => openStaged(key, 1, row.subarray(0, 20)), { code: 'seal-broken' })
  t.notSame(sealStaged(key, 1, Buffer.from('row'), systemRandom), row, 'a fresh nonce each time')
  const unit = sealCached(key, segment, 3, Buffer.from('unit'), systemRandom)
  t.throws(() => openCached(key, segment, 4, unit), { code: 'seal-broken' })
  t.throws(() => openCached(key, segmentId('0'.repeat(64)), 3, unit), { code: 'seal-broken' })
})

t.test('drive labels have one length, and belong to one drive', async (t) => {
  const key = secretOf(golden.labelKey)
  const drive = driveId(golden.drive)
  const labels = ['a', 'é'.repeat(100), 'x'.repeat(200)].map((name) => sealDriveLabel(key, drive, name, systemRandom))
  t.same(
    labels.map((label) => label.length),
    [296, 296, 296],
  )
  t.equal(openDriveLabel(key, drive, labels[1] as Buffer), 'é'.repeat(100))
  t.throws(() => openDriveLabel(key, driveId('0'.repeat(32)), labels[0] as Buffer), { code: 'seal-broken' })
  for (const name of ['', 'x'.repeat(201)]) {
    t.throws(() => sealDriveLabel(key, drive, name, systemRandom), { code: 'drive-name' })
  }
})

t.test('signatures: RFC 8032 test 2, and nothing else passes', async (t) => {
  const key = keyOf('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb')
  t.equal(key.id, '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c')
  const signature = key.sign(Buffer.from([0x72]))
  t.equal(
    signature.toString('hex'),
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  )
  t.ok(verifySignature(key.publicKey, Buffer.from([0x72]), signature))
  t.notOk(verifySignature(key.publicKey, Buffer.from([0x73]), signature))
  t.notOk(verifySignature(keyOf(2).publicKey, Buffer.from([0x72]), signature))
  t.notOk(verifySignature(key.publicKey, Buffer.from([0x72]), signature.subarray(1)), 'a short signature')
  t.notOk(verifySignature(Buffer.alloc(32), Buffer.from([0x72]), Buffer.alloc(64)), 'a weak key signs nothing')
})
