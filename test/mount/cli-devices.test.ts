/** Devices come and go while drives are mounted; who owns a new drive; what fsync waits for. */
import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { expectRefusal } from '../support/cli-refusals.js'
import { Lab } from '../support/drive-process.js'
import { noMounts } from '../support/mounts.js'
import { until } from '../support/programs.js'

const skip = noMounts()
const lab = new Lab(t)
const main = lab.path('main-mnt')
const up = await lab.up({ mount: main })
const { bridge, phraseFile, state } = up.facts
const withPhrase = ['--phrase-file', phraseFile]

interface Listed {
  devices: { device: string; isThis: boolean; revoked: boolean }[]
}

t.test('a revoked device keeps what it had read, and sees nothing newer; the others go on', { skip }, async (t) => {
  fs.writeFileSync(`${main}/before`, 'old news\n')
  await lab.sync(state)
  const lost = lab.path('lost')
  const lostPlace = lab.made('lost-mnt')
  await lab.facts('recover', '--bridge', bridge, '--state', lost, ...withPhrase)
  const first = await lab.shardrive(['mount', lostPlace, '--state', lost, '--read-only'])
  t.equal(first.status, 0, first.stderr)
  t.match(
    first.stderr,
    /the tree is here: 2 files and folders, \d+ records, epoch \d+; .*witness/,
    'says how far it reaches',
  )
  t.equal(fs.readFileSync(`${lostPlace}/before`, 'utf8'), 'old news\n')
  const { devices } = (await lab.facts('device', 'list', '--state', state)) as unknown as Listed
  const device = devices.find((one) => !one.isThis)?.device ?? ''
  t.equal(devices.length, 2)

  const revoke = (id: string) => ['device', 'revoke', id, '--state', state]
  await expectRefusal(t, lab, revoke(device), { code: 'phrase-needed', exitCode: 2 })
  await expectRefusal(t, lab, [...revoke('ffffffffffff'), ...withPhrase], {
    code: 'unknown-device',
    exitCode: 4,
    says: /device list/,
  })
  await expectRefusal(t, lab, [...revoke(device.slice(0, 4)), ...withPhrase], {
    code: 'usage',
    exitCode: 2,
    says: /at least 8/,
  })
  t.match(await lab.facts(...revoke(device.slice(0, 16)), ...withPhrase), { device, keyTerm: 2 })
  t.match(await lab.facts(...revoke(device), ...withPhrase), { keyTerm: 2 }, 'a second time changes nothing')

  fs.writeFileSync(`${main}/after`, 'new news\n')
  await lab.sync(state)
  t.match(
    await lab.facts('status', '--state', state),
    { readOnly: null, trouble: null },
    'the writer learnt the new term',
  )
  t.equal(fs.readFileSync(`${lostPlace}/before`, 'utf8'), 'old news\n')
  t.equal((await lab.shardrive(['unmount', lostPlace])).status, 0)
  await lab.shardrive(['mount', lostPlace, '--state', lost, '--read-only'])
  t.notOk(fs.existsSync(`${lostPlace}/after`), 'nothing newer is seen')
  await until('it says why', async () => {
    const found = JSON.stringify(await lab.facts('status', '--state', lost))
    return /device-revoked|removed from the drive/.test(found)
  })
  t.equal((await lab.shardrive(['unmount', lostPlace])).status, 0)

  const again = lab.path('again')
  const place = lab.made('again-mnt')
  await lab.facts('recover', '--bridge', bridge, '--state', again, ...withPhrase)
  await lab.facts('mount', place, '--state', again, '--read-only')
  t.equal(fs.readFileSync(`${place}/after`, 'utf8'), 'new news\n', 'the phrase brings all terms to a new device')
  t.equal(fs.readFileSync(`${place}/before`, 'utf8'), 'old news\n')
  t.equal((await lab.shardrive(['unmount', place])).status, 0)
})

t.test(
  'a new drive belongs to whom it is given; with --fsync=stored an fsync reaches the hosts',
  { skip },
  async (t) => {
    const photos = lab.path('photos')
    const place = lab.made('photos-mnt')
    await lab.facts('drive', 'create', 'photos', '--bridge', bridge, '--state', photos, ...withPhrase)
    await lab.facts('mount', place, '--state', photos, '--uid', '1234', '--gid', '2345', '--fsync', 'stored')
    const root = fs.statSync(place)
    t.same([root.uid, root.gid], [1234, 2345])
    await lab.sh(`dd if=/dev/urandom of=kept bs=64k count=8 conv=fsync status=none`, { cwd: place })
    t.match(await lab.facts('status', `${place}/kept`), { state: 'stored' }, 'stored as soon as fsync returns')
    const watch = `${process.execPath} ${path.resolve('dist/main.js')} status --watch --json --state ${photos}`
    const [first = ''] = (await lab.sh(`timeout --preserve-status -s INT -k 20 3 ${watch}`)).split('\n')
    t.match(JSON.parse(first), { local: { bytes: 0 }, readOnly: null }, 'a watch ends well with Ctrl-C')
    t.equal((await lab.shardrive(['unmount', place])).status, 0)
  },
)
