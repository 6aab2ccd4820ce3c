/** mount, unmount, status and sync on the command line: unfit places, busy ones, missing FUSE, several drives, none. */
import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { expectRefusal, expectRefusalOf, runAs } from '../support/cli-refusals.js'
import { Lab } from '../support/drive-process.js'
import { noMounts } from '../support/mounts.js'
import { OTHER_UID, openRoot } from '../support/open-copy.js'
import { noPortableDoor } from '../support/portable.js'
import { runProgram, sleep, until } from '../support/programs.js'

const skip = noMounts()
const isRoot = process.geteuid?.() === 0
const lab = new Lab(t)
const main = lab.path('main-mnt')
const up = await lab.up({ mount: main })
const { bridge, phraseFile } = up.facts
const state = lab.path('second')
await lab.facts('recover', '--bridge', bridge, '--state', state, '--phrase-file', phraseFile)

const mountAt = (place: string, ...more: string[]) => ['mount', place, '--state', state, '--read-only', ...more]

t.test('a place that is not fit is said at once, and nothing is made of it', { skip }, async (t) => {
  const missing = lab.path('missing')
  await expectRefusal(t, lab, mountAt(missing), { code: 'mountpoint-missing', exitCode: 5, says: /mkdir/ })
  t.notOk(fs.existsSync(missing))
  const full = lab.made('full')
  fs.writeFileSync(path.join(full, 'x'), '')
  await expectRefusal(t, lab, mountAt(full), { code: 'mountpoint-not-empty', exitCode: 5 })
  await expectRefusal(t, lab, mountAt(path.join(full, 'x')), { code: 'mountpoint-not-a-directory', exitCode: 5 })
  await expectRefusal(t, lab, mountAt(main), { code: 'mountpoint-busy', exitCode: 8, says: /unmount it first/ })
  const nowhere = lab.path('nowhere')
  await expectRefusal(t, lab, ['mount', lab.made('a'), '--state', nowhere], {
    code: 'no-drive',
    exitCode: 6,
    says: /recover/,
  })
  t.notOk(fs.existsSync(nowhere), 'no state directory appears for a drive that is not there')
  const held = ['mount', lab.made('a'), '--state', up.facts.state]
  await expectRefusal(t, lab, held, { code: 'drive-busy', exitCode: 8, says: /state\.lock/ })
  for (const [option, value] of [
    ['--uid', 'root'],
    ['--gid', '-1'],
    ['--cache', '10GB'],
    ['--fsync', 'never'],
    ['--door', 'front'],
  ]) {
    await expectRefusal(t, lab, mountAt(lab.made('a'), `${option}=${value}`), { code: 'usage', exitCode: 2 })
  }
})

/** In a mount namespace of its own, after `script`. */
async function inNamespace(script: string, words: readonly string[], uid = 0, env: NodeJS.ProcessEnv = {}) {
  const user = uid === 0 ? '' : `setpriv --reuid=${uid} --regid=${uid} --clear-groups`
  const all = [
    '--mount',
    'bash',
    '-ec',
    `${script}\nexec ${user} "$@"`,
    'bash',
    process.execPath,
    path.join(uid === 0 ? process.cwd() : openRoot(), 'dist/main.js'),
    ...words,
    '--json',
  ]
  const ran = await runProgram('unshare', all, { env: { ...lab.env, ...env }, timeoutMs: 60_000 })
  return { status: ran.status, stderr: ran.stderr, error: ran.stdout === '' ? {} : JSON.parse(ran.stdout).error }
}

const needsRoot = skip || (isRoot ? false : 'hiding parts of the machine needs root')

t.test(
  'a machine without libfuse 2 is told what to install when its door is asked for',
  { skip: needsRoot },
  async (t) => {
    const hideLibrary = `for f in /lib/*/libfuse.so.2 /usr/lib/*/libfuse.so.2; do if [ -e $f ]; then mount --bind /dev/null $f; fi; done`
    const words = mountAt(lab.made('no-libfuse'), '--door', 'fuse-native')
    const ran = await inNamespace(hideLibrary, words)
    t.match(ran.error, { code: 'libfuse-missing', exitCode: 5, hint: /apt-get install libfuse2/ }, ran.stderr)
    t.equal(ran.status, 5)
  },
)

t.test('a machine without FUSE is told what to install', { skip: needsRoot }, async (t) => {
  const dev = lab.made('dev')
  const hideDevice = `for d in null zero random urandom; do touch ${dev}/$d; mount --bind /dev/$d ${dev}/$d; done; mount --rbind ${dev} /dev`
  const noDevice = await inNamespace(hideDevice, mountAt(lab.made('no-fuse')))
  t.match(noDevice.error, { code: 'fuse-missing', exitCode: 5, hint: /modprobe fuse/ }, noDevice.stderr)
  t.equal(noDevice.status, 5)

  const user = userFiles('no-helper')
  const hideHelper =
    'for f in /usr/bin/fusermount /usr/bin/fusermount3; do if [ -e $f ]; then mount --bind /dev/null $f; fi; done'
  const words = ['mount', user.mount, '--state', user.state, '--read-only']
  const noHelper = await inNamespace(hideHelper, words, OTHER_UID, user.env)
  t.match(noHelper.error, { code: 'fuse-missing', exitCode: 5, hint: /fuse3/ }, noHelper.stderr)
  t.equal(noHelper.status, 5)
})

/** A copy of the state directory, and a mount point, that belong to another user. */
function userFiles(name: string) {
  const folder = lab.made(name)
  const user = {
    state: path.join(folder, 'state'),
    mount: path.join(folder, 'mnt'),
    env: { XDG_RUNTIME_DIR: path.join(folder, 'run') },
  }
  fs.cpSync(state, user.state, { recursive: true })
  for (const made of [user.mount, user.env.XDG_RUNTIME_DIR]) fs.mkdirSync(made)
  for (const one of [
    folder,
    ...fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((rest) => path.join(folder, rest)),
  ]) {
    fs.lchownSync(one, OTHER_UID, OTHER_UID)
  }
  return user
}

t.test('another user cannot speak to the daemon, and is told so', { skip: needsRoot }, async (t) => {
  const how = { uid: OTHER_UID, env: { XDG_RUNTIME_DIR: userFiles('stranger').env.XDG_RUNTIME_DIR } }
  const refused = { code: 'daemon-not-running', exitCode: 6 }
  await expectRefusalOf(t, lab, ['status'], refused, how)
  const ran = await runAs(lab, ['status', '--state', up.facts.state, '--json'], how)
  t.not(ran.status, 0)
  t.ok(JSON.parse(ran.stdout).error.hint)
})

t.test('several drives: each command asks which one, or takes the one it stands in', { skip }, async (t) => {
  const place = lab.made('second-mnt')
  const found = await lab.facts(...mountAt(place))
  t.match(found, { mount: place, readOnly: /read-only/ })
  await expectRefusal(t, lab, ['status'], { code: 'usage', exitCode: 2, says: /--state/ })
  await expectRefusal(t, lab, ['sync'], { code: 'usage', exitCode: 2, says: /--state/ })
  t.match(await lab.facts('status', '--state', state), { mount: place })
  t.match(await lab.facts('status', main), { path: main }, 'a path says which drive')
  const link = lab.path('link')
  fs.symlinkSync(main, link)
  t.match(await lab.facts('status', link), { path: link }, 'also through a symbolic link')
  const inside = await runProgram(process.execPath, [path.resolve('dist/main.js'), 'status', '--json'], {
    env: lab.env,
    cwd: main,
  })
  t.match(JSON.parse(inside.stdout), { mount: main }, 'and so does the folder where one stands')
  await expectRefusal(t, lab, ['status', lab.folder], { code: 'not-on-drive', exitCode: 6, says: /second-mnt/ })
  await expectRefusal(t, lab, mountAt(lab.made('third')), { code: 'drive-busy', exitCode: 8 })

  const busy = lab.sh(`cd ${place} && touch ${lab.path('standing')} && sleep 60`).catch(() => undefined)
  await until('somebody stands in it', () => fs.existsSync(lab.path('standing')))
  await expectRefusal(t, lab, ['unmount', place], { code: 'mountpoint-busy', exitCode: 8, says: /--force/ })
  t.match(await lab.facts('status', '--state', state), { mount: place }, 'and it goes on')
  t.match(await lab.facts('unmount', place, '--force'), { mount: place, localBytes: 0 })
  await expectRefusal(t, lab, ['unmount', place], { code: 'not-mounted', exitCode: 6 })
  await expectRefusal(t, lab, ['unmount', lab.path('never')], { code: 'not-mounted', exitCode: 6 })
  await expectRefusal(t, lab, ['status', '--state', state], { code: 'daemon-not-running', exitCode: 6 })
  await expectRefusal(t, lab, ['sync', '--state', lab.path('never')], { code: 'daemon-not-running', exitCode: 6 })
  for (const { pid, words } of await lab.processes()) if (words.includes('sleep 60')) process.kill(pid)
  await busy
})

t.test(
  'the portable door shows the same drive, and says what it does less',
  { skip: await noPortableDoor() },
  async (t) => {
    await lab.sh('echo hello > seen', { cwd: main })
    await lab.facts('sync', main)
    const place = lab.made('portable')
    const ran = await lab.shardrive(mountAt(place, '--door', 'fuse-native', '--json'))
    t.match(JSON.parse(ran.stdout), { mount: place, readOnly: /read-only/ }, ran.stderr)
    t.match(ran.stderr, /fuse-native does less: .*docs\/semantics\.md/)
    const said = await lab.sh(
      'cat seen; ! echo no > seen 2>/dev/null; ! rm seen 2>/dev/null; exec 3< seen; ! rm seen; ls',
      { cwd: place },
    )
    t.match(said, /^hello\n(?:.*\n)*seen\n/)
    t.match(await lab.facts('status', '--state', state), { mount: place })
    t.match(await lab.facts('unmount', place), { mount: place, localBytes: 0 })
    t.same(fs.readdirSync(place), [])
  },
)

t.test('a database of a newer program is refused, and not touched', { skip }, async (t) => {
  const newer = lab.path('newer')
  fs.cpSync(state, newer, { recursive: true })
  const file = path.join(newer, 'ledger.db')
  await lab.sh(`sqlite3 ${file} 'PRAGMA user_version = 999'`)
  const before = fs.readFileSync(file)
  const mount = ['mount', lab.made('newer-mnt'), '--state', newer]
  await expectRefusal(t, lab, mount, { code: 'database-too-new', exitCode: 5, says: /newer shardrive/ })
  t.ok(fs.readFileSync(file).equals(before))
})

t.test('a sync that is stopped says so; what was written is stored all the same', { skip }, async (t) => {
  await lab.sh(`head -c 60000000 /dev/urandom > big`, { cwd: main })
  for (const host of up.facts.hosts) process.kill(host.pid, 'SIGSTOP')
  const started = lab.shardrive(['sync', main, '--json'])
  await sleep(3_000)
  for (const { pid, words } of await lab.processes()) if (/main\.js sync/.test(words)) process.kill(pid, 'SIGINT')
  const ran = await started
  t.equal(ran.status, 130)
  t.match(JSON.parse(ran.stdout), { error: { code: 'interrupted', exitCode: 130, hint: /status/ } })
  const late = ['sync', main, '--timeout', '2']
  await expectRefusal(t, lab, late, { code: 'timed-out', exitCode: 8, says: /status/ })
  for (const host of up.facts.hosts) process.kill(host.pid, 'SIGCONT')
  t.match(await lab.facts('sync', main), { stored: { segments: Number } })
  t.match(await lab.facts('status', '--state', up.facts.state), { local: { bytes: 0 } })
})

t.test('S-36 Ctrl-C ends the waiting for a pin, not the pin', { skip }, async (t) => {
  const big = path.join(main, 'big')
  const pinned = () => lab.sh(`getfattr --only-values -n user.shardrive.pinned ${big}`)
  t.match(await lab.facts('evict', big), { files: 1 })
  for (const host of up.facts.hosts) process.kill(host.pid, 'SIGSTOP')
  const started = lab.shardrive(['pin', big])
  await until('it is pinned', async () => (await pinned()) === 'yes')
  // The command hears of it, and waits for the bytes.
  await sleep(2_000)
  for (const { pid, words } of await lab.processes()) if (/main\.js pin/.test(words)) process.kill(pid, 'SIGINT')
  const ran = await started
  t.equal(ran.status, 130)
  t.match(ran.stderr, /it stays pinned, and the drive goes on fetching[\s\S]*shardrive unpin PATH ends it/)
  t.equal(await pinned(), 'yes')
  for (const host of up.facts.hosts) process.kill(host.pid, 'SIGCONT')
  await until('its bytes came by themselves', async () => {
    const { hereBytes, dataBytes } = await lab.facts('status', big)
    return hereBytes === dataBytes
  })
  t.match(await lab.facts('pin', big), { bytes: 60_000_000 })
  await lab.facts('unpin', big)
  t.equal(await pinned(), 'no')
})
