/** S-20: a drive whose ledger is damaged heals at its start, from the network, and keeps what was only here. */
import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { damagedDrive, putBack, sameTree } from '../support/damage-scenario.js'
import { Dice, testSeed } from '../support/dice.js'
import { FILE_DAMAGES, LOG_DAMAGES, spoiltPages } from '../support/ledger-damage.js'

t.setTimeout(200_000)
const seed = testSeed()

t.test(`S-20 whatever happens to the ledger, the drive comes back (SEED=${seed})`, async (t) => {
  const dice = new Dice(seed)
  const { net, device, stored, whole, closed, killed } = await damagedDrive(t)
  const all = [
    ...[...FILE_DAMAGES, ...spoiltPages(closed, dice)].map((one) => ({ from: closed, one })),
    ...LOG_DAMAGES.map((one) => ({ from: killed, one })),
  ]
  const ends = { whole: 0, stored: 0, other: 0 }
  for (const { from, one } of all) {
    const [name, inject] = one
    putBack(device, from)
    inject(device.dir, dice)
    device.said.length = 0
    try {
      await device.open({ readOnly: true })
      const found = await device.hand.tree()
      const end =
        sameTree(found, whole).length === 0 ? 'whole' : sameTree(found, stored).length === 0 ? 'stored' : 'other'
      ends[end]++
      const isHealed = fs.existsSync(path.join(device.dir, 'damaged'))
      t.comment(`${name}: ${end}${isHealed ? ', healed' : ''}: ${device.said.join(' | ')} ${device.readOnlyReason}`)
      if (end === 'other') t.comment(`  ${sameTree(found, whole)}`)
      await device.drop()
    } catch (error) {
      t.fail(`${name}: ${(error as Error).stack}`)
      await device.drive?.close().catch(() => undefined)
      device.drive = null
    }
  }
  t.comment(ends)
  void net
})
