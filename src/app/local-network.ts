/** `shardrive up`: a whole network on this machine, and a drive on it. The same folder brings back the same network. */
import { chmodSync, existsSync, rmdirSync } from 'node:fs'
import path from 'node:path'
import { explained, makeFolder } from '../base/folders.js'
import { systemRandom } from '../base/random.js'
import { drawPhrase } from '../crypto/phrase.js'
import { hasDrive } from '../mount/account/drive-files.js'
import { setUpAccount } from './account-setup.js'
import { type ReadyChild, startChild } from './children.js'
import { endDriveOf } from './daemon-end.js'
import { initHost } from './host-process.js'
import { formatBytes } from './numbers.js'
import { readPhrase, writePhrase } from './phrase-file.js'

export interface LocalNetworkOptions {
  dir: string
  /** Null: no drive is mounted. */
  mountPoint: string | null
  hosts: number
  scheme: string
  hostBytes: number
  say(line: string): void
  /** What the drive says of itself while it starts: of damage that was healed, say. */
  warn(line: string): void
  /** A part ended that nobody stopped: what and how, and the command that brings it back. It is not restarted. */
  ended(what: string, again: string): void
}

export interface LocalNetwork {
  facts: {
    bridge: string
    bridgePid: number
    bridgeDir: string
    mount: string | null
    mountPid: number | null
    state: string
    dir: string
    hosts: { id: string; pid: number; dir: string }[]
    phraseFile: string
  }
  stop(): Promise<void>
}

/** Hosts are started a few at a time: each is a process of its own. */
const START_TOGETHER = 4

export async function startLocalNetwork(options: LocalNetworkOptions): Promise<LocalNetwork> {
  const dir = path.resolve(options.dir)
  explained(dir, () => makeFolder(dir))
  const children: ReadyChild[] = []
  let stopping = false
  const keep = (child: ReadyChild, what: string, again: string) => {
    children.push(child)
    void child.ended.then((code) => {
      if (stopping) return
      options.ended(`${what} ${code === null ? 'was killed' : `has ended (exit code ${code})`}`, again)
    })
  }
  const state = path.join(dir, 'state')
  let mount: ReadyChild | null = null
  const stop = async () => {
    stopping = true
    // The drive first: what it holds may still find its hosts. One that died may have been brought back by hand.
    await mount?.stop()
    try {
      if (mount !== null) await endDriveOf(state)
    } finally {
      for (const child of [...children].reverse()) await child.stop()
    }
    if (madeMountPoint) removeEmpty(madeMountPoint)
  }
  let madeMountPoint: string | null = null
  try {
    const bridgeDir = path.join(dir, 'bridge')
    const bridge = await startBridgeChild(bridgeDir, options, path.join(dir, 'log'))
    keep(bridge, 'the bridge', `bridge run --dir ${bridgeDir}`)
    const bridgeUrl = String(bridge.facts.bridge)
    options.say(`bridge   ${bridgeUrl}`)
    const hosts = await startHosts(dir, bridgeUrl, options, keep)
    options.say(`hosts    ${hosts.length}, each lends ${formatBytes(options.hostBytes)} of ${path.join(dir, 'hosts')}`)
    const phraseFile = path.join(dir, 'phrase.txt')
    await ensureAccount(state, bridgeUrl, phraseFile)
    if (options.mountPoint !== null) {
      if (await makeMountPoint(options.mountPoint)) madeMountPoint = options.mountPoint
      mount = await startChild(
        'mount',
        ['mount', options.mountPoint, '--state', state, '--foreground'],
        path.join(dir, 'log'),
        options.warn,
      )
      keep(mount, 'the drive', `mount ${options.mountPoint} --state ${state}`)
    }
    const facts = {
      bridge: bridgeUrl,
      bridgePid: bridge.pid,
      bridgeDir,
      mount: options.mountPoint,
      mountPid: mount?.pid ?? null,
      state,
      dir,
      hosts,
      phraseFile,
    }
    return { facts, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** False: it was there. */
async function makeMountPoint(place: string): Promise<boolean> {
  const { preparePlace } = await import('../mount/fuse/mount-point.js')
  if ((await preparePlace(place)) !== 'missing') return false
  explained(place, () => makeFolder(place))
  return true
}

function startBridgeChild(bridgeDir: string, options: LocalNetworkOptions, logDir: string): Promise<ReadyChild> {
  const isNew = !existsSync(path.join(bridgeDir, 'bridge.json'))
  const first = isNew ? ['--listen', '127.0.0.1:0', '--policy', 'single-machine'] : []
  return startChild('bridge', ['bridge', 'run', '--dir', bridgeDir, ...first, '--scheme', options.scheme], logDir)
}

async function startHosts(
  dir: string,
  bridgeUrl: string,
  options: LocalNetworkOptions,
  keep: (child: ReadyChild, what: string, again: string) => void,
): Promise<{ id: string; pid: number; dir: string }[]> {
  const dirs = Array.from({ length: options.hosts }, (_, at) => path.join(dir, 'hosts', String(at)))
  const started: { id: string; pid: number; dir: string }[] = []
  for (let at = 0; at < dirs.length; at += START_TOGETHER) {
    const group = dirs.slice(at, at + START_TOGETHER).map(async (hostDir) => {
      if (!existsSync(path.join(hostDir, 'host.json'))) {
        await initHost({ dir: hostDir, bridgeUrl, capacityBytes: options.hostBytes })
      }
      const child = await startChild(
        `host-${path.basename(hostDir)}`,
        ['host', 'run', '--dir', hostDir],
        path.join(dir, 'log'),
      )
      keep(child, `host ${path.basename(hostDir)}`, `host run --dir ${hostDir}`)
      return { id: String(child.facts.id), pid: child.pid, dir: hostDir }
    })
    // All of them come to their end before a failure ends the start: none is left running unseen.
    for (const outcome of await Promise.allSettled(group)) {
      if (outcome.status === 'rejected') throw outcome.reason
      started.push(outcome.value)
    }
  }
  return started
}

/** The phrase is written first: an account that nobody could recover must not come to be. */
async function ensureAccount(state: string, bridgeUrl: string, phraseFile: string): Promise<void> {
  if (hasDrive(state)) return
  if (!existsSync(phraseFile)) writePhrase(phraseFile, await drawPhrase(systemRandom))
  chmodSync(phraseFile, 0o600)
  await setUpAccount(await readPhrase(phraseFile), { stateDir: state, bridgeUrl, driveName: 'main' })
}

function removeEmpty(dir: string): void {
  try {
    rmdirSync(dir)
  } catch {
    // Not empty, or still mounted: it stays.
  }
}
