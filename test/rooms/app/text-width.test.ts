import t from 'tap'
import { textWidth } from '../../../src/app/text-width.js'

t.test('a text is as wide as its characters, colours aside', async (t) => {
  t.equal(textWidth(''), 0)
  t.equal(textWidth('--dir, a folder'), 15)
  t.equal(textWidth('\u001b[1;33mwarning\u001b[0m'), 7)
  t.equal(textWidth('Zürich'), 6)
})
