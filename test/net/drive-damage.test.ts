/** S-20: a drive whose ledger is damaged heals at its start, from the network, and keeps what was only here. */
import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { codeOf } from '../../src/base/errors.js'
import { setLedgerAside } from '../../src/mount/account/set-aside.js'
import { damagedDrive, healAfter, pinnedFiles, putBack, sameTree } from '../support/damage-scenario.js'
import { Dice, testSeed } from '../support/dice.js'
import { COUNT_OF_ANOTHER, DATABASE_GONE, FILE_DAMAGES, LOG_DAMAGES, spoiltPages } from '../support/ledger-damage.js'
import { noiseBytes } from '../support/noise.js'

t.setTimeout(200_000)
const seed = testSeed()
const [, spoilHeader] = FILE_DAMAGES[0] as (typeof FILE_DAMAGES)[number]
const NOTICE = 'THIS DRIVE IS READ-ONLY.txt'

t.test(`S-20 a damaged ledger heals, and what was only here is carried over (SEED=${seed})`, async (t) => {
  const dice = new Dice(seed)
  const drive = await damagedDrive(t, 12)
  const { net, device, closed, killed, whole } = drive
  const some = [
    ...[FILE_DAMAGES[0], FILE_DAMAGES[3], FILE_DAMAGES[6], dice.pick(spoiltPages(closed, dice))],
    ...LOG_DAMAGES,
    DATABASE_GONE,
    COUNT_OF_ANOTHER,
  ]
  for (const [at, damage] of some.entries()) {
    if (damage !== undefined) t.same(await healAfter(drive, at < 4 ? closed : killed, damage, dice), [], damage[0])
  }

  await t.test(
    'a log that was removed is missed: read-only without the bridge, healed with it, and said',
    async (t) => {
      putBack(device, closed)
      await device.open()
      await device.hand.write('late', Buffer.from('in the log alone'))
      await device.drive?.storage.ledger.sync()
      const late = path.join(net.dir, 'late')
      fs.cpSync(device.dir, late, { recursive: true, filter: (from) => !from.endsWith('.sock') })
      await device.drop()
      const { port } = net.world.bridge
      await net.world.bridge.stop()
      const without = (from: string) => {
        putBack(device, from)
        fs.rmSync(path.join(device.dir, 'ledger.db-wal'))
      }
      without(killed)
      t.equal(await device.open().then(() => 'opened', codeOf), 'database-damaged', 'all of it was in the log')
      without(late)
      for (let start = 0; start < 2; start++) {
        await device.open()
        t.match(device.readOnlyReason, /ledger.db-wal\) was removed or cut/)
        await device.drive?.close()
      }
      t.notOk(fs.existsSync(path.join(device.dir, 'damaged')))
      await net.world.startBridge(port)
      await net.everyHostBack()
      device.said.length = 0
      await device.open({ readOnly: true })
      t.match(device.said.join(' '), /is damaged: its log \(ledger.db-wal\) was removed or cut/)
      t.match(device.said.join(' '), /perhaps some changes behind them cannot be read any more/)
      t.same(sameTree(await device.hand.tree(), whole), [], 'what the file had beside the log was carried over')
      await device.drop()
      device.said.length = 0
      await device.open({ readOnly: true })
      t.same(device.said, [], 'and is healed once')
      await device.drop()
    },
  )

  await t.test('what a healing had built when it was cut short may be damaged too', async (t) => {
    const [, spoilCount] = COUNT_OF_ANOTHER
    const again = [(dir: string) => fs.writeFileSync(path.join(dir, 'ledger.db'), noiseBytes(1, 90_000)), spoilCount]
    for (const damage of again) {
      putBack(device, closed)
      setLedgerAside(device.dir, 'a page is spoilt', 1_800_000_000_000)
      damage(device.dir, dice)
      await device.open({ readOnly: true })
      t.same(sameTree(await device.hand.tree(), whole), [])
      await device.drop()
      device.said.length = 0
      await device.open({ readOnly: true })
      t.same(device.said, [], 'and is healed once')
      await device.drop()
    }
  })

  await t.test('S-36 what is pinned stays so, also what was only here', async (t) => {
    putBack(device, closed)
    spoilHeader(device.dir, dice)
    device.said.length = 0
    await device.open({ readOnly: true })
    t.same(await pinnedFiles(device), drive.pinned)
    t.notMatch(device.said.join(' '), /pin/)
    await device.drop()
  })

  await t.test('only when the bridge answers is anything set aside', async (t) => {
    putBack(device, closed)
    fs.truncateSync(path.join(device.dir, 'ledger.db'), 40_000)
    const { port } = net.world.bridge
    await net.world.bridge.stop()
    t.equal(await device.open().then(() => 'opened', codeOf), 'database-damaged')
    t.notOk(fs.existsSync(path.join(device.dir, 'damaged')))
    await net.world.startBridge(port)
    await net.everyHostBack()
  })

  await t.test(
    'damage that is met in use: read-only, said at the root, healed by the next start, and stored',
    async (t) => {
      putBack(device, closed)
      await device.open({ readOnly: true })
      await device.drive?.storage.ledger.care.noteDamage('a page was spoilt')
      t.match(device.readOnlyReason, /damaged.*\(database-damaged\)$/)
      t.match((await device.hand.read(NOTICE)).toString(), /shardrive unmount, then shardrive mount/)
      await device.drive?.drain()
      await device.drive?.close()
      spoilHeader(device.dir, dice)
      device.said.length = 0
      await device.open()
      t.equal(device.readOnlyReason, null)
      await device.sync()
      t.same(device.drive?.storage.ledger.progress().pendingEpochs, 0)
      const shown = await device.hand.tree()
      t.same(sameTree(shown, whole), [], 'nothing is lost')
      const other = await net.joinAccount(device, 'other')
      await other.open({ readOnly: true })
      t.same(sameTree(await other.hand.tree(), shown), [], 'what was carried over is on the network')
      await other.close()
      await device.close()
      await device.open()
      t.same(sameTree(await device.hand.tree(), shown), [], 'and is healed once')
      await device.close()
    },
  )

  await t.test(
    'one that is older than what this device has published is kept, and nothing of it is mixed in',
    async (t) => {
      putBack(device, closed)
      spoilHeader(device.dir, dice)
      device.said.length = 0
      await device.open({ readOnly: true })
      t.same(sameTree(await device.hand.tree(), whole), [])
      t.match(device.said.join(' '), /changes with .* were not taken over \(the damaged ledger is older/)
      await device.drop()
    },
  )
})
