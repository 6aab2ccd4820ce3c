import { createCipheriv, createHash, createHmac } from 'node:crypto'
import t from 'tap'
import { codecAddon } from '../../../src/addon/codec.js'
import { onEveryPath } from '../../support/code-paths.js'
import { Dice, testSeed } from '../../support/dice.js'

const codec = codecAddon()
const hex = (text: string) => Buffer.from(text.replace(/\s/g, ''), 'hex')

/** NIST SP 800-38A, F.5.5 and F.5.6: CTR-AES256. */
const nist = {
  key: hex('603deb1015ca71be2b73aef0857d7781 1f352c073b6108d72d9810a30914dff4'),
  counter: hex('f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff'),
  plain: hex(
    '6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51 30c81c46a35ce411e5fbc1191a0a52ef f69f2445df4f9b17ad2b417be66c3710',
  ),
  cipher: hex(
    '601ec313775789a5b7a7f504bbf3d228 f443e3ca4d62b59aca84e990cacaf5c5 2b0930daa23de94ce87017ba2d84988d dfc9c58db67aada613c2dd08457941a6',
  ),
}

/** FIPS 180-4 examples (NIST, SHA256.pdf, and the long message of SHA2_Additional). */
const fips: [name: string, message: Buffer, digest: string][] = [
  ['empty', Buffer.alloc(0), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  ['one block', Buffer.from('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  [
    'two blocks',
    Buffer.from('abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq'),
    '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
  ],
  ['one million a', Buffer.alloc(1e6, 'a'), 'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0'],
]

/** RFC 4231, test cases 1 to 7; the fifth is truncated to 128 bits there. */
const rfc4231: [key: Buffer, data: Buffer, mac: string][] = [
  [Buffer.alloc(20, 0x0b), Buffer.from('Hi There'), 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7'],
  [
    Buffer.from('Jefe'),
    Buffer.from('what do ya want for nothing?'),
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  ],
  [Buffer.alloc(20, 0xaa), Buffer.alloc(50, 0xdd), '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe'],
  [
    hex('0102030405060708090a0b0c0d0e0f10111213141516171819'),
    Buffer.alloc(50, 0xcd),
    '82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b',
  ],
  [Buffer.alloc(20, 0x0c), Buffer.from('Test With Truncation'), 'a3b6167473100ee06e0c796c2955552b'],
  [
    Buffer.alloc(131, 0xaa),
    Buffer.from('Test Using Larger Than Block-Size Key - Hash Key First'),
    '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
  ],
  [
    Buffer.alloc(131, 0xaa),
    Buffer.from(
      'This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.',
    ),
    '9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2',
  ],
]

t.test('AES-256-CTR gives the bytes of NIST SP 800-38A F.5.5 and F.5.6', async (t) => {
  await onEveryPath((path) => {
    t.same(codec.aes256Ctr(nist.key, nist.counter, nist.plain), nist.cipher, `encrypt, ${path}`)
    t.same(codec.aes256Ctr(nist.key, nist.counter, nist.cipher), nist.plain, `decrypt, ${path}`)
  })
})

t.test('SHA-256 gives the digests of FIPS 180-4', async (t) => {
  await onEveryPath((path) => {
    for (const [name, message, digest] of fips) {
      t.equal(codec.sha256(message).toString('hex'), digest, `${name}, ${path}`)
    }
  })
})

t.test('HMAC-SHA-256 gives the codes of RFC 4231', async (t) => {
  await onEveryPath((path) => {
    rfc4231.forEach(([key, data, mac], i) => {
      t.equal(codec.hmacSha256(key, data).toString('hex').slice(0, mac.length), mac, `case ${i + 1}, ${path}`)
    })
  })
})

t.test('cipher and hash agree with OpenSSL at every length around their blocks', async (t) => {
  const seed = testSeed()
  t.comment(`SEED=${seed}`)
  const dice = new Dice(seed)
  const lengths = [...Array.from({ length: 300 }, (_, i) => i), 1024, 4095, 10_000, 65_537]
  const bytes = dice.bytes(65_537)
  await onEveryPath((path) => {
    const wrong: string[] = []
    for (const length of lengths) {
      const data = bytes.subarray(dice.roll(0, 65_537 - length)).subarray(0, length)
      const key = dice.bytes(32)
      const counter = Buffer.concat([dice.bytes(8), Buffer.alloc(4), dice.bytes(4)])
      const cipher = createCipheriv('aes-256-ctr', key, counter).update(data)
      if (!codec.aes256Ctr(key, counter, data).equals(cipher)) wrong.push(`cipher of ${length}`)
      if (!codec.sha256(data).equals(createHash('sha256').update(data).digest())) wrong.push(`hash of ${length}`)
      const mac = createHmac('sha256', data).update(key).digest()
      if (!codec.hmacSha256(data, key).equals(mac)) wrong.push(`code with a key of ${length}`)
    }
    t.same(wrong, [], path)
  })
})

t.test('the chosen code path is what the addon says it runs', async (t) => {
  const { available } = codec.capability()
  t.equal(available[0], 'portable')
  await onEveryPath((path) => {
    const capability = codec.capability()
    t.equal(capability.path, path)
    if (path === 'portable') t.same([capability.aes, capability.sha256], ['portable', 'portable'])
  })
  t.throws(() => codec.setPath('sse9' as 'auto'), { code: 'ERR_CODEC_ARGUMENT' })
})
