/** Whether the program takes these words: it must get past its command line, and fail at what the words name, if at all. */
import type { Test } from 'tap'
import { commandLine } from '../../src/app/cli.js'

/** Parses only: `--help` behind them shows the help of the verb, and an unknown word is refused before. */
export async function expectAccepted(t: Test, words: readonly string[]): Promise<void> {
  let out = ''
  const parts = { out: { write: (text: string) => (out += text) }, err: { write: (text: string) => (out += text) } }
  t.equal(await commandLine([...words, '--help'], parts), 0, `shardrive ${words.join(' ')}`)
  const options = words.filter((word) => word.startsWith('--')).map((word) => word.split('=')[0] as string)
  for (const option of options) t.ok(out.includes(option), `${option} is an option of shardrive ${words[0]}`)
}
