/**
 * A systemd of a test's own, the real one: process 1 of namespaces of its own (processes, mounts, cgroups), with its own /etc, /run,
 * /var/lib, /srv and /home, so that nothing of it is seen outside and all of it ends with it. The program lies at /opt/shardrive there.
 * It knows no units but a few empty targets and what the test installs.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { type Ran, runProgram, until } from './programs.js'

const MANAGER = '/lib/systemd/systemd'
const NODE = '/opt/shardrive-node'
const MAIN = '/opt/shardrive/dist/main.js'
const TARGETS = [
  'default',
  'sysinit',
  'basic',
  'multi-user',
  'network-online',
  'shutdown',
  'paths',
  'sockets',
  'timers',
]
const USER_MANAGER = `[Unit]
Description=Services of user %i
[Service]
Type=notify
User=%i
Delegate=yes
Environment=XDG_RUNTIME_DIR=/run/user/%i HOME=/home/%i SYSTEMD_UNIT_PATH=/home/%i/.config/systemd/user:/etc/systemd/user-test
ExecStart=${MANAGER} --user --unit=default.target
TimeoutStopSec=20
`

const BOOT = `set -eu
mount --make-rprivate /
node=$1 project=$2
mkdir -p /opt/shardrive; touch ${NODE} 2>/dev/null || true
mount -t tmpfs tmpfs /opt && mkdir /opt/shardrive && touch ${NODE}
mount --bind "$project" /opt/shardrive
mount --bind "$node" ${NODE}
mount -t tmpfs -o mode=755 tmpfs /mnt && cp -a /etc /mnt/etc && mount --bind /mnt/etc /etc
for place in /run /var/lib /srv /home; do mount -t tmpfs -o mode=755 tmpfs $place; done
# Only the groups below our own are seen, so that no unit here is taken for one of the machine's.
if [ -e /sys/fs/cgroup/systemd ]; then
  mount -t tmpfs tmpfs /sys/fs/cgroup && mkdir /sys/fs/cgroup/systemd
  mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
else
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
[ -z "$(find /sys/fs/cgroup -name '*.slice')" ]
rm -rf /etc/systemd/system /etc/systemd/user /etc/sysusers.d /etc/tmpfiles.d
mkdir -p /etc/systemd/system/service.d /etc/systemd/system/user@.service.d /etc/systemd/user-test /run/systemd/system /run/log
for one in ${TARGETS.join(' ')}; do
  printf '[Unit]\\nDescription=%s\\nDefaultDependencies=no\\n' $one | tee /etc/systemd/system/$one.target > /etc/systemd/user-test/$one.target
done
# A shorter watchdog, so that what a service says of itself is new every few seconds.
printf '[Service]\\nStandardOutput=append:/run/log/%%n\\nStandardError=inherit\\nWatchdogSec=20\\n' > /etc/systemd/system/service.d/00-test.conf
# The manager of a user sends no keep-alives.
printf '[Service]\\nWatchdogSec=0\\n' > /etc/systemd/system/user@.service.d/99-test.conf
printf '%s' "$USER_MANAGER" > /etc/systemd/system/user@.service
# As a machine that boots has it: what is mounted in one place is seen in others.
mount --make-rshared /
exec env -i PATH="$PATH" SYSTEMD_UNIT_PATH=/etc/systemd/system container=shardrive ${MANAGER} --system --unit=default.target --log-target=console --show-status=0
`

/** undefined, or why none can be started here. */
export function noSystemd(): string | false {
  if (process.platform !== 'linux') return 'systemd is for Linux'
  if (process.geteuid?.() !== 0) return 'namespaces of its own need root'
  if (!fs.existsSync(MANAGER)) return 'systemd is not installed here'
  return cgroupRoot() === null ? 'no cgroups are mounted here' : false
}

function cgroupRoot(): string | null {
  if (fs.existsSync('/sys/fs/cgroup/systemd/cgroup.procs')) return '/sys/fs/cgroup/systemd'
  return fs.existsSync('/sys/fs/cgroup/cgroup.procs') ? '/sys/fs/cgroup' : null
}

export class OwnSystemd {
  private readonly pid: number
  private readonly said: () => string

  private constructor(pid: number, said: () => string) {
    this.pid = pid
    this.said = said
  }

  static async start(t: { teardown(undo: () => Promise<void>): void }): Promise<OwnSystemd> {
    const group = fs.mkdtempSync(path.join(cgroupRoot() as string, `${path.basename(os.tmpdir())}-`))
    const spaces = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--cgroup', '--ipc', '--uts']
    const script = `echo $$ > ${group}/cgroup.procs; exec unshare ${spaces.join(' ')} bash -c "$BOOT" bash "$@"`
    const child = spawn('bash', ['-c', script, 'bash', process.execPath, process.cwd()], {
      env: { PATH: process.env.PATH, BOOT, USER_MANAGER },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let said = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text) => (said = (said + text).slice(-50_000)))
    t.teardown(() => end(child, group))
    let systemd: OwnSystemd | null = null
    await until('systemd is process 1', async () => {
      if (child.exitCode !== null) throw new Error(`it did not start: ${said}`)
      const pid = childOf(child.pid as number)
      if (pid === null) return false
      systemd ??= new OwnSystemd(pid, () => said)
      return /running|degraded/.test((await systemd.run(['systemctl', 'is-system-running'])).stdout)
    })
    return systemd as unknown as OwnSystemd
  }

  /** A program inside. `uid`: as that user, with his runtime directory. */
  run(words: readonly string[], uid?: number): Promise<Ran> {
    const user = uid === undefined ? [] : ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups']
    const home = uid === undefined ? '/root' : `/home/${uid}`
    const env = ['env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL=C', `HOME=${home}`]
    const runtime = uid === undefined ? [] : [`XDG_RUNTIME_DIR=/run/user/${uid}`]
    const inside = ['-t', String(this.pid), '-m', '-p', '-C', '-i', '-u', '--', ...env, ...runtime, ...user, ...words]
    return runProgram('nsenter', inside, { timeoutMs: 90_000 })
  }

  /** The same; it must succeed. What it printed. */
  async sure(words: readonly string[], uid?: number): Promise<string> {
    const ran = await this.run(words, uid)
    if (ran.status !== 0)
      throw new Error(`${words.join(' ')}: exit ${ran.status}\n${ran.stdout}${ran.stderr}\n${this.said()}`)
    return ran.stdout
  }

  shardrive(words: readonly string[], uid?: number): Promise<Ran> {
    return this.run([NODE, MAIN, ...words], uid)
  }

  async facts(words: readonly string[], uid?: number): Promise<Record<string, unknown>> {
    return JSON.parse(await this.sure([NODE, MAIN, ...words, '--json'], uid))
  }

  /** One property of a unit. */
  async show(unit: string, property: string, uid?: number): Promise<string> {
    const scope = uid === undefined ? [] : ['--user']
    return (
      await this.run(['systemctl', ...scope, 'show', unit, `--property=${property}`, '--value'], uid)
    ).stdout.trim()
  }

  async untilState(unit: string, state: string, uid?: number): Promise<void> {
    try {
      await until(`${unit} is ${state}`, async () => (await this.show(unit, 'ActiveState', uid)) === state, 60_000)
    } catch (error) {
      const log = await this.run(['sh', '-c', `tail -c 3000 /run/log/${unit}; systemctl status --no-pager ${unit}`])
      throw new Error(`${(error as Error).message}\n${log.stdout}${log.stderr}${this.said()}`)
    }
  }

  /** The process of the unit, as it is known outside. */
  async mainPid(unit: string): Promise<number> {
    const inside = await this.show(unit, 'MainPID')
    for (const name of fs.readdirSync('/proc').filter((one) => /^\d+$/.test(one))) {
      try {
        const status = fs.readFileSync(`/proc/${name}/status`, 'utf8')
        const ids = /^NSpid:\s+(.*)$/m.exec(status)?.[1]?.split(/\s+/) ?? []
        if (ids.length === 2 && ids[1] === inside && isBelow(Number(name), this.pid)) return Number(name)
      } catch {
        // It has ended.
      }
    }
    throw new Error(`no process of ${unit}`)
  }

  get managerPid(): number {
    return this.pid
  }
}

function childOf(pid: number): number | null {
  try {
    const [first] = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
    return first === undefined || first === '' ? null : Number(first)
  } catch {
    return null
  }
}

function isBelow(pid: number, ancestor: number): boolean {
  for (let at = pid; at > 1; ) {
    if (at === ancestor) return true
    at = Number(/^PPid:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${at}/status`, 'utf8'))?.[1] ?? 0)
  }
  return false
}

/** With process 1 everything in its namespaces ends. */
async function end(child: ChildProcess, group: string): Promise<void> {
  child.kill('SIGKILL')
  await until('it has ended', () => {
    spawnSync('find', [group, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';'], { stdio: 'ignore' })
    return !fs.existsSync(group)
  })
}

/** Of this machine: the network is shared with it. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo
      server.close(() => resolve(port))
    })
  })
}
