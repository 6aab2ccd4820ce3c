/** init, recover, drives and devices on the command line: every wrong situation is a clear error, and nothing is lost by it. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import t from 'tap'
import { openPhrase } from '../../src/crypto/phrase.js'
import { expectRefusal, expectRefusalOf } from '../support/cli-refusals.js'
import { Lab } from '../support/drive-process.js'
import { OTHER_UID } from '../support/open-copy.js'

const lab = new Lab(t)
const up = await lab.up()
const { bridge, phraseFile, state } = up.facts
const words = fs.readFileSync(phraseFile, 'utf8').trim().split(' ')

function secretFile(name: string, text: string): string {
  const file = lab.path(name)
  fs.writeFileSync(file, text, { mode: 0o600 })
  return file
}

/** The first two neighbours whose exchange the checksum does not let pass, as one in 256 does. */
async function swapped(): Promise<string> {
  for (let at = 0; at + 1 < words.length; at++) {
    const phrase = words
      .with(at, words[at + 1]!)
      .with(at + 1, words[at]!)
      .join(' ')
    const opened = await openPhrase(phrase).catch(() => null)
    if (opened === null) return phrase
    opened.wipe()
  }
  throw new Error('no exchange is noticed')
}

/** Words that the message has for every phrase. */
const OUR_WORDS =
  /not in the word list|a recovery phrase has|this one has|all words are known, but they do not belong together: one is wrong or two are swapped/g

function recover(phrase: string, to = lab.path('new'), more: string[] = []): string[] {
  return ['recover', '--bridge', bridge, '--state', to, '--phrase-file', phrase, ...more]
}

t.test('a phrase that is none, or of nobody', async (t) => {
  const wrong: [string, string, RegExp][] = [
    ['a word that is in no list', ['shardrive', ...words.slice(1)].join(' '), /not in the word list: word 1/],
    ['too few words', words.slice(0, 23).join(' '), /24 words, this one has 23/],
    ['two words swapped', await swapped(), /one is wrong or two are swapped/],
  ]
  for (const [name, phrase, says] of wrong) {
    const found = await expectRefusal(t, lab, recover(secretFile('wrong', phrase)), {
      code: 'wrong-phrase',
      exitCode: 4,
      says,
    })
    const told = new Set(found.message.replaceAll(OUR_WORDS, '').match(/[a-z]+/g))
    for (const word of words) t.notOk(told.has(word), `${name}: no words told`)
  }
  const ofNobody = secretFile('nobody', `${'abandon '.repeat(23)}art`)
  await expectRefusal(t, lab, recover(ofNobody), { code: 'unknown-account', exitCode: 6, says: /mistyped word/ })
  await expectRefusal(t, lab, recover(phraseFile, lab.path('new'), ['--drive', 'other']), {
    code: 'unknown-drive',
    exitCode: 6,
    says: /it has: main/,
  })
  await expectRefusal(t, lab, recover(lab.path('not-there')), { code: 'secret-unreadable', exitCode: 5 })
  await expectRefusal(t, lab, recover(lab.folder), { code: 'secret-unreadable', exitCode: 5 })
  await expectRefusal(t, lab, recover(secretFile('empty', '\n')), { code: 'secret-unreadable', exitCode: 5 })
  await expectRefusal(t, lab, ['recover', '--bridge', bridge, '--state', lab.path('new')], {
    code: 'phrase-needed',
    exitCode: 2,
  })
  t.notOk(fs.existsSync(path.join(lab.path('new'), 'drive.json')), 'and nothing was made')
})

t.test('an address that is no bridge', async (t) => {
  const other = http.createServer((_request, response) => response.end('<html>hello</html>'))
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  t.teardown(() => other.close())
  const { port } = other.address() as AddressInfo
  const at = (url: string) => ['init', '--bridge', url, '--state', lab.path('new'), '--phrase-out', lab.path('words')]
  await expectRefusal(t, lab, at('http://127.0.0.1:39'), { code: 'bridge-unreachable', exitCode: 3, says: /address/ })
  await expectRefusal(t, lab, at('ftp://127.0.0.1'), { code: 'bridge-url', exitCode: 2 })
  await expectRefusal(t, lab, at('bridge.example.org'), { code: 'bridge-url', exitCode: 2 })
  await expectRefusal(t, lab, at('http://bridge.example.org'), { code: 'bridge-insecure', exitCode: 2, says: /https/ })
  const found = await expectRefusal(t, lab, at(`http://127.0.0.1:${port}`), { code: 'not-a-bridge', exitCode: 3 })
  t.match(found.message, /bridge/)
  t.notOk(fs.existsSync(lab.path('words')), 'no phrase was written for an account that does not exist')
})

t.test('a state directory that cannot be used', async (t) => {
  const init = (to: string) => ['init', '--bridge', bridge, '--state', to, '--phrase-out', lab.path('words')]
  const file = secretFile('a-file', 'x')
  await expectRefusal(t, lab, init(path.join(file, 'state')), { code: 'state-unwritable', exitCode: 5 })
  await expectRefusal(t, lab, init('/proc/nothing'), { code: 'state-unwritable', exitCode: 5 })
  const root = lab.made('roots')
  fs.chmodSync(root, 0o755)
  await expectRefusalOf(
    t,
    lab,
    init(path.join(root, 'state')),
    { code: 'state-unwritable', exitCode: 5 },
    { uid: OTHER_UID },
  )
  await expectRefusal(t, lab, init(state), { code: 'drive-exists', exitCode: 4, says: /--state/ })
  t.notOk(fs.existsSync(lab.path('words')))
  const tiny = lab.made('tiny')
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tiny', tiny])
  t.teardown(() => void spawnSync('umount', [tiny]))
  await expectRefusal(t, lab, init(tiny), { code: 'no-space', exitCode: 5, says: /free some disk space/ })
  t.same(fs.readdirSync(tiny), [], 'and nothing is left of the try')
  const kept = secretFile('kept-words', 'keep me')
  await expectRefusal(t, lab, ['init', '--bridge', bridge, '--state', lab.path('new'), '--phrase-out', kept], {
    code: 'phrase-file',
    exitCode: 5,
  })
  t.equal(fs.readFileSync(kept, 'utf8'), 'keep me')
})

t.test('a key file with a passphrase opens with that one only', async (t) => {
  const protectedState = lab.path('protected')
  const right = secretFile('right', 'correct horse')
  const made = await lab.facts(...recover(phraseFile, protectedState, ['--passphrase-file', right]))
  t.match(made, { state: protectedState })
  const list = (...more: string[]) => ['device', 'list', '--state', protectedState, ...more]
  await expectRefusal(t, lab, list(), { code: 'passphrase-needed', exitCode: 4, says: /--passphrase-file/ })
  const wrong = secretFile('wrong-passphrase', 'wrong horse')
  await expectRefusal(t, lab, list('--passphrase-file', wrong), { code: 'wrong-passphrase', exitCode: 4 })
  t.equal((await lab.shardrive(list('--passphrase-file', right))).status, 0)
  const place = lab.made('protected-mnt')
  const mount = ['mount', place, '--state', protectedState, '--read-only']
  await expectRefusal(t, lab, mount, { code: 'passphrase-needed', exitCode: 4 })
  await expectRefusal(t, lab, [...mount, '--passphrase-file', wrong], { code: 'wrong-passphrase', exitCode: 4 })
  t.match(await lab.facts(...mount, '--passphrase-file', right), { mount: place }, 'also in the background')
  t.equal((await lab.shardrive(['unmount', place])).status, 0)
})

t.test('damaged files of a state directory are named, and left as they are', async (t) => {
  for (const [name, code] of [
    ['drive.json', 'state-damaged'],
    ['device.key', 'state-damaged'],
  ] as const) {
    const copy = lab.path(`damaged-${name}`)
    await lab.facts(...recover(phraseFile, copy))
    const noise = Buffer.alloc(5_000, `${name} `)
    fs.writeFileSync(path.join(copy, name), noise, { mode: 0o600 })
    const mount = ['mount', lab.made('damaged-mnt'), '--state', copy, '--read-only']
    const found = await expectRefusal(t, lab, mount, { code, exitCode: 7, says: /recover/ })
    t.match(found.message, name, 'says which file')
    t.ok(fs.readFileSync(path.join(copy, name)).equals(noise), 'not a byte of it was changed')
  }
})

t.test('S-20 a ledger that is noise is kept as it is, and the mount heals the drive without the words', async (t) => {
  const state = lab.path('damaged-ledger')
  await lab.facts(...recover(phraseFile, state))
  const noise = Buffer.alloc(5_000, 'noise ')
  fs.writeFileSync(path.join(state, 'ledger.db'), noise, { mode: 0o600 })
  const healed = await lab.mount({ mount: lab.made('healed-mnt'), state, words: ['--read-only'] })
  const [folder] = fs.readdirSync(path.join(state, 'damaged'))
  t.ok(fs.readFileSync(path.join(state, 'damaged', folder as string, 'ledger.db')).equals(noise))
  t.equal(await healed.stop(), 0)
})

t.test('more drives of one account', async (t) => {
  const photos = lab.path('photos')
  const create = (name: string, ...more: string[]) => ['drive', 'create', name, '--bridge', bridge, ...more]
  const withPhrase = ['--phrase-file', phraseFile]
  t.match(await lab.facts(...create('photos', '--state', photos, ...withPhrase)), { name: 'photos', state: photos })
  const again = create('photos', '--state', lab.path('photos2'), ...withPhrase)
  await expectRefusal(t, lab, again, { code: 'drive-exists', exitCode: 4, says: /recover --drive/ })
  await expectRefusal(t, lab, create('a/b', ...withPhrase), { code: 'drive-name', exitCode: 2 })
  await expectRefusal(t, lab, create('x', '--state', photos, ...withPhrase), { code: 'drive-exists', exitCode: 4 })
  const second = lab.path('photos-again')
  t.match(
    await lab.facts(...recover(phraseFile, second, ['--drive', 'photos'])),
    { state: second },
    'the phrase recovers it',
  )
  const listed = (await lab.facts('drive', 'list', '--state', second)) as { drives: { name: string }[] }
  t.match(
    listed.drives.map((one) => one.name),
    ['photos'],
  )
})
