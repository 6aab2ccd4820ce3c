/** `shardrive service` on the command line, into scratch roots: what is written, refused and removed, and what systemd says of it. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { KINDS, type Kind, type Scope } from '../../src/app/services/order.js'
import { expectRefusal, expectRefusalOf } from '../support/cli-refusals.js'
import { Lab } from '../support/drive-process.js'
import { OTHER_UID } from '../support/open-copy.js'
import { parsePlist } from '../support/plist.js'
import { runProgram } from '../support/programs.js'

const lab = new Lab(t)
/** Lines of a later systemd, which an install on a machine with an older one leaves out. */
const newer = /Unknown key (?:name )?'(?:RestartSteps|RestartMaxDelaySec)'/
const isLinux = process.platform === 'linux'
const hasAnalyze = spawnSync('systemd-analyze', ['--version']).status === 0
const noAnalyze = !hasAnalyze && 'systemd-analyze is not installed: apt-get install systemd'
const noRoot = process.geteuid?.() !== 0 && 'needs root'

const scopes: readonly Scope[] = ['system', 'user']
const unitOf = (kind: Kind, scope: Scope) =>
  kind === 'mount'
    ? scope === 'system'
      ? 'shardrive-mount@main.service'
      : 'shardrive-mount@.service'
    : `shardrive-${kind}.service`
const fileOf = (root: string, kind: Kind, scope: Scope) =>
  path.join(root, 'usr/lib/systemd', scope, unitOf(kind, scope))
const at = (kind: Kind, scope: Scope, root: string, ...more: string[]) => [
  kind,
  `--${scope}`,
  '--root',
  root,
  '--manager',
  'systemd',
  ...more,
]

const root = lab.path('root')
for (const scope of scopes) for (const kind of KINDS) await lab.facts('service', 'install', ...at(kind, scope, root))

t.test('systemd finds nothing wrong with any of the units', { skip: noAnalyze }, async (t) => {
  const version = Number(
    /^systemd (\d+)/.exec(spawnSync('systemd-analyze', ['--version'], { encoding: 'utf8' }).stdout)?.[1],
  )
  for (const scope of scopes) {
    for (const kind of KINDS) {
      const words = [...(scope === 'user' ? ['--user'] : []), '--man=no', 'verify', fileOf(root, kind, scope)]
      const ran = await runProgram('systemd-analyze', words, { env: lab.env })
      const said = ran.stderr.split('\n').filter((line) => line !== '' && !(version < 254 && newer.test(line)))
      t.same(said, [], `${scope}/${kind}`)
      t.equal(ran.status, 0, `${scope}/${kind}`)
    }
  }
})

t.test('nor with one of a second host in a folder of a strange name', { skip: noAnalyze }, async (t) => {
  const strange = lab.path('strange')
  const dir = '/srv/a b/100% "c" $HOME \\n'
  const words = at('host', 'system', strange, '--name', 'disk-2', '--dir', dir)
  t.match(await lab.facts('service', 'install', ...words), { unit: 'shardrive-host@disk\\x2d2.service', dir })
  const file = path.join(strange, 'usr/lib/systemd/system/shardrive-host@disk\\x2d2.service')
  const { stderr } = await runProgram('systemd-analyze', ['--man=no', 'verify', file], { env: lab.env })
  const said = stderr.split('\n').filter((line) => line !== '' && !newer.test(line))
  t.same(said, [])
  const kept = await lab.facts('service', 'remove', ...at('host', 'system', strange, '--name', 'disk-2'))
  t.match(kept, { dir, files: [{}, {}, {}] })
})

/** What `systemd-analyze security` may say at most: 0 is shut, 10 is open. docs/operating.md has the table. */
const EXPOSURE_MAX: Record<Scope, Record<Kind, number>> = {
  system: { host: 1.5, bridge: 1.5, mount: 4.5 },
  user: { host: 7.5, bridge: 7.5, mount: 9.9 },
}

t.test('the units are as closed as docs/operating.md says', { skip: noAnalyze }, async (t) => {
  const page = fs.readFileSync('docs/operating.md', 'utf8')
  for (const scope of scopes) {
    for (const kind of KINDS) {
      const words = [
        ...(scope === 'user' ? ['--user'] : []),
        'security',
        '--offline=yes',
        '--no-pager',
        fileOf(root, kind, scope),
      ]
      const { stdout, stderr } = await runProgram('systemd-analyze', words, { env: lab.env })
      const exposure = Number(/exposure level for \S+: (\d+\.\d)/.exec(stdout)?.[1])
      t.comment(`${scope}/${kind}: ${exposure}`)
      t.ok(exposure <= EXPOSURE_MAX[scope][kind], `${scope}/${kind}: ${exposure} ${stderr}`)
      const name = kind === 'mount' ? 'shardrive-mount@.service' : unitOf(kind, scope)
      const row = page.split('\n').find((line) => line.startsWith(`| ${scope} | \`${name}\` |`))
      t.ok(row?.includes(`| ${EXPOSURE_MAX[scope][kind].toFixed(1)} |`), `docs/operating.md, ${scope} ${name}`)
    }
  }
})

t.test('a second install changes nothing, another one is said to be an update', async (t) => {
  const again = await lab.facts('service', 'install', ...at('host', 'system', root))
  t.match(again.files, [{ change: 'unchanged' }, { change: 'unchanged' }, { change: 'unchanged' }])
  t.same(again.ran, [], 'nothing is run for another root')
  t.match(again.next, [/daemon-reload/, /enable --now shardrive-host\.service/])
  const moved = await lab.facts('service', 'install', ...at('host', 'system', root, '--dir', '/srv/disk'))
  t.match(moved, { dir: '/srv/disk', files: [{ change: 'updated' }, { change: 'updated' }, { change: 'updated' }] })
  t.equal(fs.statSync(fileOf(root, 'host', 'system')).mode & 0o777, 0o644)
  const text = fs.readFileSync(fileOf(root, 'host', 'system'), 'utf8')
  t.match(text, `ExecStart=${process.execPath} ${path.resolve('dist/main.js')} host run --dir /srv/disk\n`)
  const drive = await lab.facts(
    'service',
    'install',
    ...at('mount', 'user', root, '--drive', 'my photos', '--mountpoint', '/m n'),
  )
  t.match(drive, { unit: 'shardrive-mount@my\\x20photos.service', scope: 'user' })
})

t.test('what somebody else wrote, or changed, is neither overwritten nor removed', async (t) => {
  const other = lab.path('other')
  const file = fileOf(other, 'bridge', 'system')
  fs.mkdirSync(path.dirname(file), { recursive: true })
  fs.writeFileSync(file, '[Service]\nExecStart=/bin/true\n')
  const refused = { code: 'service-foreign', exitCode: 4, says: /systemctl edit/ }
  await expectRefusal(t, lab, ['service', 'install', ...at('bridge', 'system', other)], refused)
  await expectRefusal(t, lab, ['service', 'remove', ...at('bridge', 'system', other)], refused)
  t.equal(fs.readFileSync(file, 'utf8'), '[Service]\nExecStart=/bin/true\n')
  t.notOk(fs.existsSync(path.join(other, 'usr/lib/sysusers.d')), 'nothing was written beside it')
  fs.rmSync(file)
  await lab.facts('service', 'install', ...at('bridge', 'system', other))
  fs.appendFileSync(file, 'Nice=5\n')
  await expectRefusal(t, lab, ['service', 'install', ...at('bridge', 'system', other)], refused)
  t.match(await lab.facts('service', 'status', '--root', other, '--manager', 'systemd'), { services: [] })
})

t.test('what is not there cannot be removed; what is removed leaves nothing but its data', async (t) => {
  const empty = lab.path('empty')
  const none = { code: 'no-service', exitCode: 6, says: /service status/ }
  await expectRefusal(t, lab, ['service', 'remove', ...at('host', 'user', empty)], none)
  const dir = lab.made('data')
  fs.writeFileSync(path.join(dir, 'host.key'), 'x')
  await lab.facts('service', 'install', ...at('host', 'system', empty, '--dir', dir))
  const found = await lab.facts('service', 'status', '--root', empty, '--manager', 'systemd')
  t.match(found, { services: [{ kind: 'host', scope: 'system', dir, state: null }] })
  const { stdout } = await lab.shardrive(['service', 'remove', ...at('host', 'system', empty)])
  t.match(stdout, `${dir} (its data; `)
  t.ok(fs.existsSync(path.join(dir, 'host.key')))
  const left = fs.readdirSync(empty, { recursive: true, withFileTypes: true }).filter((one) => one.isFile())
  t.same(left, [])
})

t.test('what cannot be is refused before anything is written', async (t) => {
  const fresh = lab.path('fresh')
  const usage = (says?: RegExp) => ({ code: 'usage', exitCode: 2, ...(says === undefined ? {} : { says }) })
  const install = (...words: string[]) => ['service', 'install', ...words, '--root', fresh]
  await expectRefusal(t, lab, install('router'), usage())
  await expectRefusal(t, lab, install('host', '--user', '--system'), usage(/exclude/))
  await expectRefusal(t, lab, install('host', '--mountpoint', '/m'), usage(/is for mount/))
  await expectRefusal(t, lab, install('mount', '--listen', '127.0.0.1:1'), usage(/is for bridge/))
  await expectRefusal(t, lab, install('mount', '--drive', 'a/b'), { code: 'drive-name', exitCode: 2 })
  await expectRefusal(t, lab, install('mount', '--name', 'two'), usage(/--drive/))
  await expectRefusal(t, lab, install('host', '--name', '../x'), usage())
  await expectRefusal(t, lab, install('host', '--program', 'shardrive'), usage(/whole path/))
  await expectRefusal(t, lab, install('host', '--dir', '/a\nUser=root'), usage())
  await expectRefusal(t, lab, install('host', '--user', '--run-as', 'bob'), usage())
  await expectRefusal(t, lab, install('host', '--system', '--run-as', 'bob\nUser=root'), usage())
  await expectRefusal(t, lab, install('bridge', '--scheme', '9/3'), usage(/4\/8/))
  await expectRefusal(t, lab, install('host', '--system', '--manager', 'launchd'), usage(/--run-as/))
  t.notOk(fs.existsSync(fresh))
  await expectRefusal(t, lab, install('host').with(-1, '/proc/nothing'), { code: 'state-unwritable', exitCode: 5 })
})

t.test(
  'a service of the machine needs root, and a program that its user can read',
  { skip: noRoot || (!isLinux && 'systemd') },
  async (t) => {
    const denied = { code: 'service-denied', exitCode: 5, says: /sudo/ }
    await expectRefusalOf(t, lab, ['service', 'install', 'host', '--system'], denied, { uid: OTHER_UID })
    const hidden = lab.made('hidden')
    fs.writeFileSync(path.join(hidden, 'shardrive'), '')
    fs.chmodSync(hidden, 0o700)
    const words = ['service', 'install', 'host', '--system', '--program', path.join(hidden, 'shardrive')]
    await expectRefusal(t, lab, words, { code: 'service-program', exitCode: 5, says: /hidden is closed to others/ })
    await expectRefusal(t, lab, words.with(-1, '/no/such'), {
      code: 'service-program',
      exitCode: 5,
      says: /does not exist/,
    })
  },
)

t.test('on macOS it is a list of launchd', async (t) => {
  const mac = lab.path('mac')
  const words = ['--root', mac, '--manager', 'launchd', '--program', '/opt/s & h/shardrive']
  const made = await lab.facts('service', 'install', 'host', '--system', '--run-as', 'alice', ...words)
  t.match(made, { unit: 'io.shardrive.host.plist', next: [/host init/, /^launchctl bootstrap system /] })
  const file = path.join(mac, 'Library/LaunchDaemons/io.shardrive.host.plist')
  t.match(parsePlist(fs.readFileSync(file, 'utf8')), {
    UserName: 'alice',
    ProgramArguments: ['/opt/s & h/shardrive', 'host', 'run', '--dir', '/usr/local/var/shardrive-host'],
  })
  await lab.facts('service', 'install', 'mount', '--user', '--dir', lab.path('state'), ...words)
  const agent = path.join(mac, 'Library/LaunchAgents/io.shardrive.mount.plist')
  t.ok(parsePlist(fs.readFileSync(agent, 'utf8')))
  t.match(await lab.facts('service', 'remove', 'mount', '--user', '--drive', 'main', ...words.slice(0, 4)), {
    next: [/bootout/],
  })
  t.notOk(fs.existsSync(agent))
})
