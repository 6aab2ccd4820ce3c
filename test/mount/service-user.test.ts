/** Services of an ordinary user, run by a real systemd of his: calls are filtered, and his drive is mounted through fusermount3. */
import t from 'tap'
import { noMounts } from '../support/mounts.js'
import { freePort, noSystemd, OwnSystemd } from '../support/own-systemd.js'
import { until } from '../support/programs.js'

const skip = noSystemd() || noMounts()
const UID = 1_000

t.test('bridge, host and drive as services of one user', { skip }, async (t) => {
  const machine = await OwnSystemd.start(t)
  for (const dir of [`/home/${UID}`, `/run/user/${UID}`])
    await machine.sure(['install', '-d', '-m', '0700', '-o', `${UID}`, dir])
  await machine.sure(['systemctl', 'start', `user@${UID}.service`])
  const url = `http://127.0.0.1:${await freePort()}`
  const choices = ['--listen', url.slice('http://'.length), '--policy', 'single-machine', '--scheme', '1/1']
  const bridge = await machine.facts(['service', 'install', 'bridge', ...choices], UID)
  t.match(bridge, { scope: 'user', dir: `/home/${UID}/.local/state/shardrive-bridge` })
  t.match(bridge.next, [/enable-linger/, /systemctl --user status/])
  await machine.untilState('shardrive-bridge.service', 'active', UID)
  const host = ['service', 'install', 'host']
  t.match((await machine.facts(host, UID)).next, [/ host init /, /systemctl --user start/])
  const dir = `/home/${UID}/.local/state/shardrive-host`
  await machine.facts(['host', 'init', '--dir', dir, '--bridge', url, '--space', '1GiB'], UID)
  await machine.facts(host, UID)
  await machine.untilState('shardrive-host.service', 'active', UID)
  await machine.facts(['init', '--bridge', url, '--phrase-out', `/home/${UID}/phrase`], UID)
  const place = `/home/${UID}/my drive`
  t.match(await machine.facts(['service', 'install', 'mount', '--mountpoint', place], UID), {
    unit: 'shardrive-mount@main.service',
  })
  await machine.untilState('shardrive-mount@main.service', 'active', UID)
  await machine.sure(['sh', '-c', `echo kept > '${place}/file'`], UID)
  t.match(
    await machine.facts(['sync'], UID),
    { stored: { segments: 1, full: 1 } },
    'commands find the drive without a word more',
  )
  t.match(
    await machine.sure(['cat', '/proc/mounts']),
    '/home/1000/my\\040drive fuse.shardrive',
    'all of the machine have the mount',
  )
  const { services } = (await machine.facts(['service', 'status'], UID)) as { services: object[] }
  t.match(services, [
    { kind: 'bridge', state: 'active' },
    { kind: 'host', state: 'active' },
    { kind: 'mount', state: 'active' },
  ])
  const main = Number(await machine.show('shardrive-host.service', 'MainPID', UID))
  t.match(await machine.sure(['cat', `/proc/${main}/status`]), /^NoNewPrivs:\s+1$[\s\S]*^Seccomp:\s+2$/m)

  await machine.facts(['unmount', place], UID)
  await until(
    'the service has ended',
    async () => (await machine.show('shardrive-mount@main.service', 'ActiveState', UID)) === 'inactive',
  )
  t.equal(
    await machine.show('shardrive-mount@main.service', 'NRestarts', UID),
    '0',
    'an unmount is an end, not a failure',
  )
  for (const kind of ['mount', 'host', 'bridge']) await machine.facts(['service', 'remove', kind], UID)
  t.notMatch(await machine.sure(['ls', `/home/${UID}/.config/systemd/user`], UID), /shardrive-.*service$/m)
})
