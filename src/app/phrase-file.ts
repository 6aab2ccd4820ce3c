/** The 24 words, from where a person keeps them and to a file that only they can read. Never an argument. */
import { closeSync, existsSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { AppError } from '../base/errors.js'
import { readSecret } from './secret-input.js'

/** The words as text; a JavaScript string cannot be wiped, so it should live for one call only. `phrase-needed`. */
export async function readPhrase(file: string | undefined): Promise<string> {
  const secret = await readSecret({ file, variable: 'SHARDRIVE_PHRASE', question: 'The 24 words: ' })
  if (secret === null) {
    throw new AppError('phrase-needed', 'the 24 words are needed', {
      hint: 'give them with --phrase-file, or in SHARDRIVE_PHRASE',
    })
  }
  const text = secret.use((bytes) => bytes.toString('utf8'))
  secret.wipe()
  return text
}

/** `phrase-file` when it exists: it may hold the words of another drive. */
export function checkPhraseFile(file: string): void {
  if (existsSync(file)) throw phraseFileExists(file)
}

/** On disk when it returns; never over another file. `phrase-file`. */
export function writePhrase(file: string, phrase: string): void {
  try {
    const fd = openSync(file, 'wx', 0o600)
    try {
      writeSync(fd, `${phrase}\n`)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') throw phraseFileExists(file)
    throw new AppError('phrase-file', `the phrase cannot be written to ${file}`, {
      cause,
      hint: 'name a file in a folder that you may write to',
    })
  }
}

function phraseFileExists(file: string): AppError {
  return new AppError('phrase-file', `${file} exists already, and is left as it is`, {
    hint: 'name a file that does not exist yet',
  })
}
