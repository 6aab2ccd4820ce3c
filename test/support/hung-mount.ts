/** A mount whose daemon was killed while a notification of it waited in the kernel, and mount namespaces to try it in. */
import { type ChildProcess, spawn } from 'node:child_process'
import fs from 'node:fs'
import { isDying } from '../../src/base/process-state.js'
import { type DoorProcess, type Ran, run, startDoor } from './mounts.js'
import { until } from './programs.js'

interface Teardown {
  teardown(undo: () => unknown): void
}

/** How a program is started: by itself, or in a namespace and as a user. */
export type Prefix = readonly string[]

/** The daemon, which neither lives nor goes, and the mkdir that waits for its answer. */
export async function hangMount(
  t: Teardown,
  place: string,
  prefix: Prefix = [],
): Promise<{ dead: DoorProcess; asking: Promise<Ran> }> {
  const dead = startDoor(t, [place, 'stuck'], { prefix })
  const pid = dead.child.pid as number
  await expectLine(dead, 'ready')
  const [program = '', ...words] = [...prefix, 'mkdir', `${place}/x`]
  const asking = run(program, words)
  await expectLine(dead, 'notifying')
  await until('the notification waits in the kernel', () => waitsInKernel(pid))
  dead.child.kill('SIGKILL')
  await until('it is killed', () => isDying(pid))
  // What could still end has ended when only the first thread and the one in the kernel are left.
  await until('only what waits is left', () => threadsOf(pid).length === 2)
  if (!waitsInKernel(pid)) throw new Error('the killed daemon does not hang')
  return { dead, asking }
}

async function expectLine(door: DoorProcess, word: string): Promise<void> {
  const line = await door.next()
  if (!(word in line)) throw new Error(`not ${word}: ${JSON.stringify(line)}`)
}

function threadsOf(pid: number): string[] {
  return fs.readdirSync(`/proc/${pid}/task`)
}

/** A thread that no signal reaches. */
function waitsInKernel(pid: number): boolean {
  return threadsOf(pid).some((thread) =>
    /^State:\s+D/m.test(fs.readFileSync(`/proc/${pid}/task/${thread}/status`, 'latin1')),
  )
}

/**
 * A mount namespace that ends with the test; `script` prepares it. What hangs at `place` in it at the end is ended by force, and
 * nothing else: it holds a copy of every mount of this machine, and force ends the original as well.
 */
export async function mountNamespace(
  t: Teardown,
  place: string,
  script: string,
): Promise<{ inside: Prefix; asUser(uid: number): Prefix }> {
  const words = ['--mount', '--propagation', 'private', 'sh', '-ec', `${script}\necho ready\nexec sleep 1000`]
  const keeper: ChildProcess = spawn('unshare', words, { stdio: ['ignore', 'pipe', 'inherit'] })
  const inside = ['nsenter', `--mount=/proc/${keeper.pid}/ns/mnt`]
  t.teardown(async () => {
    const force = 'while grep -q " $0 fuse.shardrive " /proc/mounts; do umount -f "$0"; umount -l "$0" || exit; done'
    await run(inside[0] as string, [...inside.slice(1), 'sh', '-c', force, place])
    keeper.kill('SIGKILL')
  })
  await new Promise((resolve, reject) => {
    keeper.stdout?.once('data', resolve)
    keeper.once('exit', () => reject(new Error('no namespace')))
  })
  const asUser = (uid: number) => [...inside, 'setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups']
  return { inside, asUser }
}
