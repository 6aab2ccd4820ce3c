/** What measures the program's help in the place of a package. */
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'

const { default: textWidth } = (await import(pathToFileURL(path.resolve('scripts/steps/text-width.mjs')).href)) as {
  default(text: string): number
}

t.test('a text is as wide as its characters, colours aside', async (t) => {
  t.equal(textWidth(''), 0)
  t.equal(textWidth('--dir, a folder'), 15)
  t.equal(textWidth('\u001b[1;33mwarning\u001b[0m'), 7)
  t.equal(textWidth('Zürich'), 6)
})
