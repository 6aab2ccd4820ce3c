import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { readSmall } from '../../../src/base/folders.js'

t.test('a small file is read whole; a large one, a folder and a pipe are refused at once', async (t) => {
  const dir = t.testdir({ small: 'abc', large: 'x'.repeat(11), folder: {} })
  const file = (name: string) => path.join(dir, name)
  t.equal(readSmall(file('small'), 10).toString(), 'abc')
  for (const name of ['large', 'folder']) t.throws(() => readSmall(file(name), 10), { code: 'malformed' }, name)
  t.throws(() => readSmall(file('none'), 10), { code: 'ENOENT' })
  if (spawnSync('mkfifo', [file('pipe')]).status === 0) {
    t.throws(() => readSmall(file('pipe'), 10), { code: 'malformed' }, 'nobody will ever write into it')
  }
  fs.symlinkSync('/dev/zero', file('endless'))
  t.throws(() => readSmall(file('endless'), 10), { code: 'malformed' })
})
