/**
 * The 24-word recovery phrase (BIP-39, English, no BIP-39 passphrase). ethers is loaded on first use: it costs 145 ms
 * that no other command should pay. Words pass through JavaScript strings, which cannot be wiped: only init, recover
 * and device commands, which end soon, read a phrase. Errors name word positions, never words.
 */
import { AppError } from '../base/errors.js'
import type { RandomBytes } from '../base/random.js'
import { SecretBytes } from './secret.js'

export const PHRASE_WORDS = 24
const ENTROPY_BYTES = 32
/** 24 words of at most 8 letters are 215 characters; the rest is room for untidy white space. */
const PHRASE_CHARS_MAX = 4_096

/** 24 fresh words, separated by single spaces. */
export async function drawPhrase(random: RandomBytes): Promise<string> {
  const { Mnemonic } = await import('ethers')
  const entropy = random(ENTROPY_BYTES)
  const phrase = Mnemonic.fromEntropy(entropy).phrase
  entropy.fill(0)
  return phrase
}

/** The 64-byte seed. White space and case do not matter. `wrong-phrase`: bad length, word or checksum. */
export async function openPhrase(text: string): Promise<SecretBytes> {
  const words = splitWords(text)
  if (words.length !== PHRASE_WORDS) {
    throw wrongPhrase(`a recovery phrase has ${PHRASE_WORDS} words, this one has ${words.length}`)
  }
  const { LangEn, Mnemonic } = await import('ethers')
  const list = LangEn.wordlist()
  const unknown = words.flatMap((word, at) => (list.getWordIndex(word) < 0 ? [at + 1] : []))
  if (unknown.length > 0) throw wrongPhrase(`not in the word list: word ${unknown.join(', ')}`)
  const phrase = words.join(' ')
  if (!Mnemonic.isValidMnemonic(phrase)) {
    throw wrongPhrase('all words are known, but they do not belong together: one is wrong or two are swapped')
  }
  const seedHex = Mnemonic.fromPhrase(phrase).computeSeed()
  return SecretBytes.take(Buffer.from(seedHex.slice(2), 'hex'))
}

function splitWords(text: string): string[] {
  if (text.length > PHRASE_CHARS_MAX) throw wrongPhrase('too long for a recovery phrase')
  return text
    .normalize('NFKD')
    .toLowerCase()
    .split(/[\s\uFEFF]+/u)
    .filter((word) => word !== '')
}

function wrongPhrase(message: string): AppError {
  return new AppError('wrong-phrase', message, { hint: 'type the 24 words in the order in which they were shown' })
}
