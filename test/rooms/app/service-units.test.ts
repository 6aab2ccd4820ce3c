import fs from 'node:fs'
import t from 'tap'
import { afterExit, exitCodes, type Meaning } from '../../../src/app/exit-codes.js'
import { marked, readMark } from '../../../src/app/services/mark.js'
import {
  escapeUnitName,
  KINDS,
  type Kind,
  type Order,
  type Scope,
  unitNameOf,
} from '../../../src/app/services/order.js'
import { sideText, unitText, valuesOf } from '../../../src/app/services/unit-text.js'
import { expectAccepted } from '../../support/service-words.js'

const scopes: readonly Scope[] = ['system', 'user']
const shipped = (kind: Kind, scope: Scope) =>
  fs.readFileSync(`systemd/${scope}/shardrive-${kind}${kind === 'mount' ? '@' : ''}.service`, 'utf8')
const all = scopes.flatMap((scope) => KINDS.map((kind) => ({ kind, scope, text: shipped(kind, scope) })))
const one = (text: string, key: string) => {
  const values = valuesOf(text, key)
  return values.length === 1 ? values[0] : values
}
const order = (kind: Kind, scope: Scope, more: Partial<Order> = {}): Order => ({
  ...{ kind, scope, manager: 'systemd', name: kind === 'mount' ? 'main' : null, words: [], runAs: null, forAll: false },
  ...{ program: ['/usr/bin/shardrive'], dir: `/var/lib/shardrive-${kind}`, mountPoint: kind === 'mount' ? '/m' : null },
  ...more,
})
const codesWith = (what: string) =>
  (Object.keys(exitCodes) as Meaning[])
    .filter((meaning) => afterExit[meaning] === what)
    .map((meaning) => exitCodes[meaning])
    .sort((a, b) => a - b)

t.test('which exit codes start a service again is what src/app/exit-codes.ts says', async (t) => {
  for (const { kind, scope, text } of all) {
    const name = `${scope}/${kind}`
    t.equal(one(text, 'Restart'), 'on-failure', name)
    t.equal(one(text, 'RestartPreventExitStatus'), codesWith('person').join(' '), name)
    t.equal(
      one(text, 'SuccessExitStatus'),
      codesWith('ended')
        .filter((code) => code !== 0)
        .join(' '),
      name,
    )
    t.same(valuesOf(text, 'RestartForceExitStatus'), [], name)
  }
  const page = fs.readFileSync('docs/operating.md', 'utf8')
  for (const [meaning, code] of Object.entries(exitCodes) as [Meaning, number][]) {
    const row = page.split('\n').find((line) => line.startsWith(`| ${code} |`))
    const words = { again: 'again', person: 'a person', ended: 'ended' }[afterExit[meaning]]
    t.ok(row?.includes(`| ${words}`), `docs/operating.md, exit code ${code}: ${words}`)
  }
})

t.test('every unit says when it serves, proves that it lives, and goes on trying, more and more slowly', async (t) => {
  for (const { text } of all) {
    t.equal(one(text, 'Type'), 'notify')
    t.equal(one(text, 'NotifyAccess'), 'main')
    t.ok(Number(one(text, 'WatchdogSec')) >= 30)
    t.equal(one(text, 'StartLimitIntervalSec'), '0')
    for (const key of ['RestartSec', 'RestartSteps', 'RestartMaxDelaySec', 'TimeoutStartSec', 'TimeoutStopSec']) {
      t.match(one(text, key), /^\d+(min|h)?$/, key)
    }
    t.equal(one(text, 'LimitCORE'), '0')
  }
})

t.test('the command of every unit is one that the program takes', async (t) => {
  for (const { text } of all) {
    const [program, ...words] = String(one(text, 'ExecStart')).split(' ')
    t.equal(program, '/usr/bin/shardrive')
    await expectAccepted(t, words)
  }
})

/** systemd.exec(5): each of these gives a service a mount namespace, and what it mounts there is seen nowhere else. */
const NAMESPACE_MAKERS =
  /^(PrivateTmp|PrivateDevices|PrivateMounts|PrivateUsers|PrivateIPC|ProtectSystem|ProtectHome|ProtectKernelTunables|ProtectKernelModules|ProtectKernelLogs|ProtectControlGroups|ProtectProc|ProcSubset|ReadWritePaths|ReadOnlyPaths|InaccessiblePaths|ExecPaths|NoExecPaths|TemporaryFileSystem|BindPaths|BindReadOnlyPaths|RootDirectory|RootImage|MountFlags|MountAPIVFS|DynamicUser|MountImages|ExtensionImages|LoadCredential|SetCredential)=/m
/** systemd.exec(5): each of these implies NoNewPrivileges=yes in the manager of a user; fusermount3 could not mount then. */
const PRIVILEGE_ENDERS =
  /^(SystemCallFilter|SystemCallArchitectures|SystemCallLog|RestrictAddressFamilies|RestrictNamespaces|RestrictRealtime|RestrictSUIDSGID|RestrictFileSystems|LockPersonality|MemoryDenyWriteExecute|ProtectClock|ProtectHostname|PrivateNetwork)=/m

t.test('a mount unit has no mounts of its own, nor do those of a user, who mounts through a helper', async (t) => {
  for (const scope of scopes) t.notMatch(shipped('mount', scope), NAMESPACE_MAKERS, scope)
  t.notMatch(shipped('mount', 'user'), PRIVILEGE_ENDERS)
  t.equal(one(shipped('mount', 'user'), 'NoNewPrivileges'), 'no')
  for (const kind of KINDS) t.notMatch(shipped(kind, 'user'), NAMESPACE_MAKERS, 'the manager of a user cannot make any')
  t.match(shipped('host', 'system'), NAMESPACE_MAKERS, 'the list knows the words')
  t.match(shipped('host', 'user'), PRIVILEGE_ENDERS)
})

t.test('every setting has a comment above it, or above its neighbours', async (t) => {
  for (const { kind, scope, text } of all) {
    const bare = text.split('\n').map((line, at, lines) => {
      if (!/^[A-Z]\w*=/.test(line) || /^(Description|ExecStart|WantedBy)=/.test(line)) return null
      let above = at
      while (above > 0 && /^[A-Z]\w*=/.test(lines[above - 1] ?? '')) above--
      return lines[above - 1]?.startsWith('#') ? null : line
    })
    t.same(
      bare.filter((line) => line !== null),
      [],
      `${scope}/${kind}`,
    )
  }
})

t.test('strange paths and names reach the program as they are', async (t) => {
  const dir = '/srv/a b/100% "$HOME" \\n'
  const host = unitText(
    shipped('host', 'system'),
    order('host', 'system', { dir, program: ['/n o/node', '/m.js'] }),
    null,
  )
  t.equal(one(host, 'ExecStart'), '"/n o/node" /m.js host run --dir "/srv/a b/100%% \\"$$HOME\\" \\\\n"')
  t.equal(one(host, 'ReadWritePaths'), '"/srv/a b/100%% \\"$HOME\\" \\\\n"')
  t.equal(one(host, 'ConditionPathExists'), '/srv/a b/100%% "$HOME" \\n/host.json')
  t.same(valuesOf(host, 'StateDirectory'), [])
  t.equal(escapeUnitName('my photos/2024-x.y'), 'my\\x20photos-2024\\x2dx.y')
  t.equal(escapeUnitName('.ä'), '\\x2e\\xc3\\xa4')
  t.equal(unitNameOf(order('mount', 'user', { name: 'a b' })), 'shardrive-mount@a\\x20b.service')
})

t.test('a folder elsewhere, in a home, or of another user changes what has to change', async (t) => {
  const usual = unitText(shipped('host', 'system'), order('host', 'system'), null)
  t.equal(usual, shipped('host', 'system'), 'the usual one is the shipped one')
  const home = unitText(
    shipped('host', 'system'),
    order('host', 'system', { dir: '/home/alice/disk', runAs: 'alice' }),
    null,
  )
  t.equal(one(home, 'ProtectHome'), 'read-only')
  t.equal(one(home, 'User'), 'alice')
  t.same(valuesOf(home, 'Group'), [])
  t.equal(one(home, 'ReadWritePaths'), '/home/alice/disk')
  t.equal(one(home, 'RequiresMountsFor'), '/home/alice/disk')
  const named = unitText(
    shipped('bridge', 'system'),
    order('bridge', 'system', { name: 'two', dir: '/var/lib/shardrive-bridge/two' }),
    null,
  )
  t.equal(one(named, 'StateDirectory'), 'shardrive-bridge/two')
  t.match(one(named, 'Description'), /\(two\)$/)
  const side = (folder: string) => fs.readFileSync(`systemd/${folder}/shardrive-host.conf`, 'utf8')
  t.match(
    sideText(side('tmpfiles.d'), order('host', 'system', { dir: '/a b' })),
    /^d "\/a b" 0700 shardrive-host shardrive-host -$/m,
  )
  t.match(
    sideText(side('tmpfiles.d'), order('host', 'system', { runAs: 'alice' })),
    /^d \/var\/lib\/shardrive-host 0700 alice - -$/m,
  )
  t.match(sideText(side('sysusers.d'), order('host', 'system')), /^u shardrive-host - /m)
})

t.test('an older systemd is spared the lines that it does not know', async (t) => {
  for (const { kind, scope, text } of all) {
    t.notMatch(unitText(text, order(kind, scope), 253), /RestartSteps=|RestartMaxDelaySec=/)
    t.match(unitText(text, order(kind, scope), 254), /RestartSteps=[\s\S]*RestartMaxDelaySec=/)
  }
})

t.test('a unit for all users of a machine names the folder of none', async (t) => {
  const text = unitText(shipped('mount', 'user'), order('mount', 'user', { forAll: true, program: ['/opt/x'] }), null)
  t.equal(one(text, 'ExecStart'), '/opt/x mount --foreground --drive %I %h/Shardrive/%I')
})

t.test('the last line knows its file; a changed file has none', async (t) => {
  const facts = { kind: 'host', scope: 'user', unit: 'shardrive-host.service', dir: '/a--b' } as const
  for (const text of ['[Unit]\n', '<?xml version="1.0"?>\n']) {
    const content = marked(text, facts)
    t.same(readMark(content), facts)
    t.notMatch(content.replace(/^.*<!--|-->.*$/gm, ''), '--', 'no comment of XML ends early')
    t.equal(readMark(content.replace('\n', ' \n')), null)
    t.equal(readMark(content.replace('/a', '/b')), null)
    t.equal(readMark(`${content}\n`), null)
    t.equal(readMark(text), null)
  }
})
