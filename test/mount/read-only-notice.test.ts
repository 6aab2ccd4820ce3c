/** A drive that another machine took over, as a person finds it: a file at its root says what happened, and goes when it is over. */
import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { Lab } from '../support/drive-process.js'
import { noMounts } from '../support/mounts.js'
import { until } from '../support/programs.js'

t.setTimeout(120_000)
const NAME = 'THIS DRIVE IS READ-ONLY.txt'

t.test('S-17 a drive that became read-only says so at its root', { skip: noMounts() }, async (t) => {
  const lab = new Lab(t)
  const { facts: network } = await lab.up()
  const { state } = network
  const place = lab.made('first')
  const first = await lab.mount({ mount: place, state })
  const notice = path.join(place, NAME)
  fs.writeFileSync(path.join(place, 'kept'), 'kept')
  await lab.sync(state)
  t.notOk(fs.existsSync(notice), 'nothing to say')

  const second = await lab.mount({
    mount: lab.made('second'),
    state: lab.path('taken'),
    network,
    words: ['--takeover'],
  })
  t.notOk(fs.readdirSync(lab.path('second')).includes(NAME), 'nor for who writes')
  fs.writeFileSync(path.join(place, 'late'), 'late')
  await until('it is noticed', async () => (await lab.status(state)).readOnly !== null)
  await until('the file is there', () => fs.existsSync(notice), 5_000)
  t.ok(fs.readdirSync(place).includes(NAME), 'it is in the listing')
  const text = fs.readFileSync(notice, 'utf8')
  t.match(text, /cannot be written since 20\d\d-.*\n\nWhat happened: .+\nWhat to do: +.+\n/)
  t.equal(fs.statSync(notice).size, Buffer.byteLength(text))
  t.equal(await lab.sh(`cp "${notice}" copy; sync "${notice}"; cat copy`), text, 'it can be copied')
  t.throws(() => fs.writeFileSync(notice, 'x'), { code: 'EROFS' })
  t.throws(() => fs.unlinkSync(notice), { code: 'EROFS' })
  t.equal(fs.readFileSync(path.join(place, 'kept'), 'utf8'), 'kept')
  t.comment(text)

  t.equal(await second.stop(), 0)
  t.equal(await first.stop(), 0)
  const again = await lab.mount({ mount: place, state, words: ['--takeover'] })
  t.notOk(fs.existsSync(notice), 'written again, nothing to say')
  t.notOk(fs.readdirSync(place).includes(NAME))
  t.equal(await again.stop(), 0)
})
