/** Services as a user gets them: installed by the program, run by a real systemd with everything that the units forbid. */
import fs from 'node:fs'
import t from 'tap'
import { noMounts } from '../support/mounts.js'
import { freePort, noSystemd, OwnSystemd } from '../support/own-systemd.js'
import { until } from '../support/programs.js'

const skip = noSystemd() || noMounts()

t.test('a machine whose bridge, host and drive are services', { skip }, async (t) => {
  const machine = await OwnSystemd.start(t)
  const listen = `127.0.0.1:${await freePort()}`
  const url = `http://${listen}`
  const BRIDGE = 'shardrive-bridge.service'
  const HOST = 'shardrive-host.service'
  const MOUNT = 'shardrive-mount@main.service'

  const choices = ['--listen', listen, '--policy', 'single-machine', '--scheme', '1/1']
  const bridge = await machine.facts(['service', 'install', 'bridge', ...choices])
  t.match(bridge, { unit: BRIDGE, dir: '/var/lib/shardrive-bridge', scope: 'system' })
  t.match(
    bridge.ran,
    ['systemd-sysusers', 'systemd-tmpfiles', 'systemctl daemon-reload', 'systemctl enable', 'systemctl start'].map(
      (one) => new RegExp(`^${one}`),
    ),
  )
  await machine.untilState(BRIDGE, 'active')
  t.match(await machine.show(BRIDGE, 'StatusText'), `answers at ${url}; 0 hosts online`)

  const early = await machine.facts(['service', 'install', 'host'])
  t.match(early.next, [
    /^runuser -u shardrive-host -- \S+ \S+ host init --dir \/var\/lib\/shardrive-host /,
    /start shardrive-host/,
  ])
  t.equal(await machine.show(HOST, 'ActiveState'), 'inactive', 'a host without a folder is not started')
  await machine.sure(['systemctl', 'start', HOST])
  t.equal(await machine.show(HOST, 'ConditionResult'), 'no', 'and its start is passed over')
  const uid = Number(await machine.sure(['id', '-u', 'shardrive-host']))
  t.not(uid, Number(await machine.sure(['id', '-u', 'shardrive-bridge'])), 'users of their own')
  await machine.facts(['host', 'init', '--dir', '/var/lib/shardrive-host', '--bridge', url, '--space', '1GiB'], uid)
  const again = await machine.facts(['service', 'install', 'host'])
  t.match(again.files, [{ change: 'unchanged' }, { change: 'unchanged' }, { change: 'unchanged' }])
  await machine.untilState(HOST, 'active')
  await until('the bridge knows the host', async () =>
    /the bridge knows it/.test(await machine.show(HOST, 'StatusText')),
  )
  t.match(await machine.show(BRIDGE, 'User'), 'shardrive-bridge')

  t.test('a drive that is a service stores through them, and everybody on the machine sees it', async (t) => {
    const state = ['--state', '/var/lib/shardrive-mount/main']
    t.match((await machine.facts(['service', 'install', 'mount'])).next, [/ init --bridge /, /start/])
    await machine.facts(['init', '--bridge', url, ...state, '--phrase-out', '/run/phrase'])
    const third = await machine.facts(['service', 'install', 'mount'])
    t.match(third.ran, [/daemon-reload/, /enable/, /start/])
    await machine.untilState(MOUNT, 'active')
    t.match(await machine.show(MOUNT, 'StatusText'), /^mounted at \/srv\/shardrive\/main; /)
    await machine.sure(['sh', '-c', 'echo kept > /srv/shardrive/main/file'])
    t.match(await machine.facts(['sync', ...state]), { stored: { segments: 1, full: 1 } })
    t.equal(await machine.sure(['cat', '/srv/shardrive/main/file'], uid), 'kept\n', 'another user reads it')
    const space = (pid: number) => fs.readlinkSync(`/proc/${pid}/ns/mnt`)
    t.equal(space(await machine.mainPid(MOUNT)), space(machine.managerPid), 'it has no mounts of its own')
    t.not(space(await machine.mainPid(HOST)), space(machine.managerPid), 'a host has')
    await until('the host says so', async () => /^serves 1 shards/.test(await machine.show(HOST, 'StatusText')))
  })

  t.test('what a sandbox forbids is forbidden', async (t) => {
    for (const unit of [HOST, BRIDGE]) {
      const status = fs.readFileSync(`/proc/${await machine.mainPid(unit)}/status`, 'utf8')
      t.match(status, /^CapBnd:\s+0+$/m, `${unit} has no capabilities`)
      const limits = fs.readFileSync(`/proc/${await machine.mainPid(unit)}/limits`, 'utf8')
      t.match(limits, /^Max open files\s+(\d+)\s+\1\s/m, 'it raised its limit of open files itself')
      t.match(status, /^NoNewPrivs:\s+1$/m)
      t.match(status, /^Seccomp:\s+2$/m)
      t.match(status, /^Uid:\s+(?!0\b)\d+/m, 'and is not root')
    }
    const drive = fs.readFileSync(`/proc/${await machine.mainPid(MOUNT)}/status`, 'utf8')
    t.match(drive, /^CapBnd:\s+0+200004$/m, 'CAP_SYS_ADMIN and CAP_DAC_READ_SEARCH')
    t.match(drive, /^Seccomp:\s+2$/m)
  })

  t.test('one that is killed comes back; the mount, too, over what is left of it', async (t) => {
    for (const unit of [HOST, MOUNT]) {
      const before = await machine.mainPid(unit)
      process.kill(before, 'SIGKILL')
      await until(`${unit} was started again`, async () => (await machine.show(unit, 'NRestarts')) === '1')
      await machine.untilState(unit, 'active')
      t.not(await machine.mainPid(unit), before)
    }
    t.equal(await machine.sure(['cat', '/srv/shardrive/main/file']), 'kept\n')
  })

  t.test('one that stands still is found out by its silence, ended and started again', async (t) => {
    await machine.sure([
      'sh',
      '-c',
      `mkdir -p /etc/systemd/system/${HOST}.d; printf '[Service]\\nWatchdogSec=3\\n' > /etc/systemd/system/${HOST}.d/fast.conf`,
    ])
    await machine.sure(['systemctl', 'daemon-reload'])
    await machine.sure(['systemctl', 'restart', HOST])
    const before = await machine.mainPid(HOST)
    process.kill(before, 'SIGSTOP')
    await until('it was started again', async () => Number(await machine.show(HOST, 'NRestarts')) >= 1)
    await machine.untilState(HOST, 'active')
    t.not(await machine.mainPid(HOST), before)
    await machine.sure(['rm', `/etc/systemd/system/${HOST}.d/fast.conf`])
    await machine.sure(['systemctl', 'daemon-reload'])
    await machine.sure(['systemctl', 'restart', HOST])
  })

  t.test('what needs a person is not tried again, and says why', async (t) => {
    await machine.sure(['sh', '-c', 'echo nonsense > /var/lib/shardrive-bridge/bridge.json'])
    await machine.run(['systemctl', 'restart', BRIDGE])
    await machine.untilState(BRIDGE, 'failed')
    t.equal(await machine.show(BRIDGE, 'ExecMainStatus'), '7')
    t.equal(await machine.show(BRIDGE, 'NRestarts'), '0')
    t.match(await machine.show(BRIDGE, 'StatusText'), /^failed: .*bridge\.json.*\[malformed\]; what to do: /)
  })

  t.test('removed, a service ends; its data stays, and where is said', async (t) => {
    const { services } = (await machine.facts(['service', 'status'])) as { services: object[] }
    t.match(services, [
      { unit: BRIDGE, kind: 'bridge', state: 'failed', says: /^failed/ },
      { unit: HOST, kind: 'host', state: 'active', says: /^serves/ },
      { unit: MOUNT, kind: 'mount', state: 'active', says: /^mounted/ },
    ])
    for (const [kind, dir, file] of [
      ['mount', '/var/lib/shardrive-mount/main', 'drive.json'],
      ['host', '/var/lib/shardrive-host', 'host.key'],
      ['bridge', '/var/lib/shardrive-bridge', 'bridge.key'],
    ] as const) {
      t.match(await machine.facts(['service', 'remove', kind]), { dir })
      await machine.sure(['test', '-f', `${dir}/${file}`])
    }
    t.notMatch(await machine.sure(['cat', '/proc/mounts']), / \/srv\/shardrive\S* fuse\.shardrive/)
    t.notMatch(
      await machine.sure(['sh', '-c', 'ls -R /etc/systemd/system /etc/sysusers.d /etc/tmpfiles.d']),
      /shardrive-\w+(@\w+)?\.(service$|conf)/,
    )
    t.match(await machine.facts(['service', 'status']), { services: [] })
  })
})
