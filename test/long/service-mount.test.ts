/**
 * A drive that is a service, root's and an ordinary user's, run by a real systemd: whatever ends its daemon, and whoever stands in the
 * mount meanwhile, it is there again by itself, with the same files. Nobody runs a command of ours in between.
 */
import t, { type Test } from 'tap'
import { noMounts } from '../support/mounts.js'
import { freePort, noSystemd, OwnSystemd } from '../support/own-systemd.js'
import { until } from '../support/programs.js'

const skip = noSystemd() || noMounts()
t.setTimeout(600_000)

const UNIT = 'shardrive-mount@main.service'
const UID = 1_000
/** 5 s are the unit's, one or two the start; the rest is for a busy machine. */
const BACK_WITHIN_MS = 30_000
/** What the watchdog is set to here, instead of two minutes. */
const WATCHDOG_SEC = 3
const FILES = 60

interface Service {
  readonly machine: OwnSystemd
  readonly place: string
  /** Of the unit: undefined for root's. */
  readonly uid?: number
}

const run = (s: Service, script: string) => s.machine.run(['sh', '-c', script], s.uid)
const sure = (s: Service, script: string) => s.machine.sure(['sh', '-c', script], s.uid)
const restarts = async (s: Service) => Number(await s.machine.show(UNIT, 'NRestarts', s.uid))
/** Names, modes, times, sizes and bytes of everything. */
const manifest = (s: Service) =>
  sure(
    s,
    `cd "${s.place}" && find . -printf '%P %y %m %s %T@ %l\\n' | LC_ALL=C sort; find . -type f | LC_ALL=C sort | xargs -d '\\n' sha256sum`,
  )

async function fill(s: Service): Promise<string> {
  await sure(
    s,
    `cd "${s.place}" && mkdir -p a/b && for i in $(seq ${FILES}); do head -c $((i * 700)) /dev/urandom > a/b/f$i; done
     head -c 3000000 /dev/urandom > large; ln -s a/b link; chmod 640 large; sync "${s.place}"`,
  )
  return manifest(s)
}

/** A shell that stands in the mount, with a file of it open, and a program that looks at it all the time. */
async function occupy(s: Service): Promise<void> {
  await sure(
    s,
    `cd "${s.place}/a" && (exec setsid sleep 500 3< b/f1 > /dev/null 2>&1) & cd / && (exec setsid sh -c 'while sleep 0.1; do ls "${s.place}/a"; done' > /dev/null 2>&1) & sleep 0.5`,
  )
}

/** Ends the daemon by `end`; how long until the mount shows its files again. */
async function backAfter(t: Test, s: Service, what: string, end: (pid: string) => Promise<unknown>): Promise<void> {
  const before = await restarts(s)
  const pid = await s.machine.show(UNIT, 'MainPID', s.uid)
  const startedMs = performance.now()
  await end(pid)
  await until(`${what}: started again`, async () => (await restarts(s)) > before, BACK_WITHIN_MS)
  await until(
    `${what}: its files are there`,
    async () => (await run(s, `cat "${s.place}/a/b/f1"`)).status === 0,
    BACK_WITHIN_MS,
  )
  const tookMs = performance.now() - startedMs
  t.comment(`${what}: back after ${(tookMs / 1_000).toFixed(1)} s`)
  t.ok(tookMs < BACK_WITHIN_MS, `${what}: back within ${BACK_WITHIN_MS / 1_000} s`)
}

async function comesBack(t: Test, s: Service): Promise<void> {
  const { machine, place, uid } = s
  const whole = await fill(s)
  const kill = (signal: string) => (pid: string) => machine.sure(['kill', `-${signal}`, pid], uid)

  await backAfter(t, s, 'killed', kill('KILL'))
  t.equal(await manifest(s), whole, 'the same files')

  await occupy(s)
  await backAfter(t, s, 'killed while somebody stands in it', kill('KILL'))
  t.equal(await manifest(s), whole, 'the same files')
  const stands = `readlink /proc/$(pgrep -u ${uid ?? 0} -f '^sleep 500' | head -1)/cwd`
  t.match(await sure(s, stands), /^\S*\/a\n$/, 'who stood in the old mount still does, and was not ended')

  const scope = uid === undefined ? [] : ['--user']
  const folder = uid === undefined ? '/etc/systemd/system' : `/home/${uid}/.config/systemd/user`
  await sure(
    s,
    `mkdir -p ${folder}/${UNIT}.d; printf '[Service]\\nWatchdogSec=${WATCHDOG_SEC}\\n' > ${folder}/${UNIT}.d/fast.conf`,
  )
  await machine.sure(['systemctl', ...scope, 'daemon-reload'], uid)
  await machine.sure(['systemctl', ...scope, 'restart', UNIT], uid)
  await machine.untilState(UNIT, 'active', uid)
  t.equal(await manifest(s), whole, 'restarted under somebody')
  await occupy(s)
  await backAfter(t, s, 'standing still', kill('STOP'))
  t.equal(await manifest(s), whole, 'the same files')
  await sure(s, `echo more > "${place}/more"; rm "${place}/more"`)
  const mounts = (await machine.sure(['cat', '/proc/mounts'])).split('\n')
  t.equal(
    mounts.filter((line) => line.includes(` ${place} fuse.shardrive`)).length,
    1,
    'one mount, no dead ones below it',
  )
}

t.test('a drive that is a service is back by itself', { skip }, async (t) => {
  const machine = await OwnSystemd.start(t)
  const listen = `127.0.0.1:${await freePort()}`
  const url = `http://${listen}`
  await machine.facts([
    'service',
    'install',
    'bridge',
    '--listen',
    listen,
    '--policy',
    'single-machine',
    '--scheme',
    '1/1',
  ])
  await machine.untilState('shardrive-bridge.service', 'active')

  t.test('of the machine', async (t) => {
    const state = ['--state', '/var/lib/shardrive-mount/main']
    await machine.facts(['service', 'install', 'mount'])
    await machine.facts(['init', '--bridge', url, ...state, '--phrase-out', '/run/phrase'])
    await machine.facts(['service', 'install', 'mount'])
    await machine.untilState(UNIT, 'active')
    await comesBack(t, { machine, place: '/srv/shardrive/main' })
  })

  // His manager runs without anybody logged in, as after `loginctl enable-linger`.
  t.test('of an ordinary user', async (t) => {
    for (const dir of [`/home/${UID}`, `/run/user/${UID}`])
      await machine.sure(['install', '-d', '-m', '0700', '-o', `${UID}`, dir])
    await machine.sure(['systemctl', 'start', `user@${UID}.service`])
    await machine.facts(['init', '--bridge', url, '--phrase-out', `/home/${UID}/phrase`], UID)
    await machine.facts(['service', 'install', 'mount'], UID)
    await machine.untilState(UNIT, 'active', UID)
    await comesBack(t, { machine, place: `/home/${UID}/Shardrive/main`, uid: UID })
  })
})
