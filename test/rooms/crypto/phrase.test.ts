import t from 'tap'
import { isCode } from '../../../src/base/errors.js'
import { systemRandom } from '../../../src/base/random.js'
import { drawPhrase, openPhrase } from '../../../src/crypto/phrase.js'
import { noiseBytes } from '../../support/noise.js'
import { revealed } from '../../support/secrets.js'
import { readVectors } from '../../support/vectors.js'

const golden = readVectors<{ phrase: string; seed: string; wrongPhrases: { name: string; phrase: string }[] }>(
  'keys/keys',
)

t.test('a drawn phrase has 24 words and opens; another draw gives another', async (t) => {
  const phrase = await drawPhrase(systemRandom)
  t.equal(phrase.split(' ').length, 24)
  t.equal((await openPhrase(phrase)).size, 64)
  t.not(await drawPhrase(systemRandom), phrase)
  t.equal(await drawPhrase((size) => Buffer.alloc(size)), golden.phrase, 'no entropy is the phrase of zeros')
})

t.test('white space and case do not matter', async (t) => {
  const words = golden.phrase.split(' ')
  const untidy = [
    '\uFEFF',
    `  ${words.join('\n')}\r\n`,
    words.join(' \t '),
    golden.phrase.toUpperCase(),
    words.join('\u00a0'),
  ]
  for (const text of untidy.slice(1))
    t.equal(revealed(await openPhrase(text)), golden.seed, JSON.stringify(text.slice(0, 20)))
  t.equal(revealed(await openPhrase(`\uFEFF${golden.phrase}`)), golden.seed, 'nor a byte-order mark')
})

for (const { name, phrase } of golden.wrongPhrases) {
  t.test(`wrong phrase: ${name}`, async (t) => {
    await t.rejects(openPhrase(phrase), { code: 'wrong-phrase' })
  })
}

t.test('what is told of a wrong phrase names positions and no words', async (t) => {
  const words = (await drawPhrase((size) => Buffer.from(noiseBytes(3, size)))).split(' ')
  words[4] = 'zzzsecretzzz'
  const error = await openPhrase(words.join(' ')).catch((error: unknown) => error)
  t.ok(isCode(error, 'wrong-phrase'))
  t.match((error as Error).message, /word 5$/)
  const told = JSON.stringify([String(error), (error as Error).cause ?? null, (error as Error).stack])
  for (const word of new Set(words)) if (word.length > 4) t.notMatch(told, new RegExp(`\\b${word}\\b`))
})

t.test('a text that is no phrase at all is refused at once', async (t) => {
  await t.rejects(openPhrase('word '.repeat(100_000)), { code: 'wrong-phrase' })
})
