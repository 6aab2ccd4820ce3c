/**
 * `host doctor`: looks at a host's disk, its bridge, its clock and how it is reached. While the host is stopped, the doctor looks
 * from the host's own UDP port and answers for it (pings only: what is asked besides is `busy`) for a few seconds; while it
 * runs, its port and its line to the bridge are its own, so the doctor looks from another port and has the bridge dial the host.
 * Registers the host with the bridge, as its next start would.
 */
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { AppError, isCode } from '../base/errors.js'
import type { Log } from '../base/log.js'
import { BridgeClient } from '../bridge-client/bridge-client.js'
import { BridgeSocket } from '../bridge-client/bridge-socket.js'
import { askDial, askKnock } from '../bridge-client/reach-calls.js'
import type { SigningKey } from '../crypto/signing-key.js'
import type { HostConfig } from '../host/config.js'
import { openHostFolder, readHostConfig, readHostKey } from '../host/folder.js'
import { bridgeId, type HostId, hostId } from '../model/ids.js'
import { parseIceServer } from '../rtc/ice-server.js'
import { ProbeSocket } from '../rtc/probe-socket.js'
import { type Endpoint, endpointText } from '../rtc/stun.js'
import { API_LIMITS, type BridgeInfo } from '../wire/api.js'
import { encodePingReply, METHOD } from '../wire/methods.js'
import { type Check, explain } from './checks.js'
import { checkDisk } from './host-disk.js'
import { isLoopbackName } from './peers.js'
import { adviseReach, type Dialed, type ReachFacts } from './reach-advice.js'
import { REAL_SURROUNDINGS, type Surroundings } from './surroundings.js'

/** Of a bridge that is there, over a bad line or on a loaded machine. */
const BRIDGE_MS = 15_000
/** The bridge gives up a dial after 12 s. */
const DIAL_MS = 20_000
/** Three datagrams of the bridge; a path of a second is a long one. */
const KNOCK_MS = 2_000
const LINE_MS = 8_000
const SKEW_WARN_MS = 60_000

interface Patient {
  config: HostConfig
  host: HostId
  key: SigningKey
  client: BridgeClient
  isRunning: boolean
  around: Surroundings
  log: Log
}

/** `host-folder-wrong`, `malformed`: there is no host to look at. */
export async function examineHost(dir: string, log: Log, around = REAL_SURROUNDINGS): Promise<Check[]> {
  const config = readHostConfig(dir)
  const key = readHostKey(dir)
  const host = hostId(key.publicKey)
  const release = takeFolder(dir)
  const { clock, random } = around
  try {
    const bridge = bridgeId(config.bridge)
    const client = new BridgeClient({ url: config.bridgeUrl, bridge, key, clock, random })
    const patient: Patient = { config, host, key, client, isRunning: release === null, around, log }
    const state = patient.isRunning ? 'running' : 'stopped'
    const itself: Check = { name: 'host', state: 'ok', detail: `${host.slice(0, 16)}, ${state}` }
    return [itself, await checkDisk(dir, clock), ...(await checkNetwork(patient))]
  } finally {
    release?.()
    key.wipe()
  }
}

/** Null: the host runs. */
function takeFolder(dir: string): (() => void) | null {
  try {
    const folder = openHostFolder(dir)
    return () => folder.release()
  } catch (error) {
    if (isCode(error, 'host-already-running')) return null
    throw error
  }
}

async function checkNetwork(patient: Patient): Promise<Check[]> {
  const { client } = patient
  const dns = await checkName(client.url.hostname)
  const checks = dns === null ? [] : [dns]
  if (dns?.state === 'fail') return checks
  let info: BridgeInfo
  try {
    info = await client.info({ timeoutMs: BRIDGE_MS })
    checks.push({ name: 'bridge', state: 'ok', detail: `${client.url.origin} answers` })
    const clock = clockCheck(client.time.offsetMs())
    checks.push(clock)
    if (clock.state === 'fail') return checks
    if (!patient.isRunning) await register(patient)
  } catch (error) {
    return [...checks, { name: 'bridge', state: 'fail', ...explain(error) }]
  }
  if (isLoopbackName(client.url.hostname)) {
    const detail = 'the bridge is on this machine: all peers are, and no NAT is between them'
    return [...checks, { name: 'network', state: 'ok', detail }]
  }
  try {
    return [...checks, ...adviseReach(await lookAround(patient, info.ice))]
  } catch (error) {
    return [...checks, { name: 'UDP', state: 'fail', ...explain(error) }]
  }
}

async function checkName(hostname: string): Promise<Check | null> {
  if (isIP(hostname.replace(/^\[|\]$/g, '')) !== 0) return null
  const name = 'DNS'
  try {
    const { address } = await lookup(hostname)
    return { name, state: 'ok', detail: `${hostname} is ${address}` }
  } catch (error) {
    const detail = `${hostname} has no address (${(error as NodeJS.ErrnoException).code})`
    return {
      name,
      state: 'fail',
      detail,
      hint: "check the bridge's name in host.json, and the name servers of this machine",
    }
  }
}

function clockCheck(offsetMs: number): Check {
  const name = 'clock'
  const seconds = Math.round(Math.abs(offsetMs) / 100) / 10
  const side = offsetMs > 0 ? 'behind' : 'ahead of'
  const state = Math.abs(offsetMs) > API_LIMITS.clockSkewMs ? 'fail' : Math.abs(offsetMs) > SKEW_WARN_MS ? 'warn' : 'ok'
  return { name, state, detail: `${seconds} s ${side} the bridge`, hint: 'timedatectl set-ntp true' }
}

async function register({ client, config, host }: Patient): Promise<void> {
  const { capacityBytes, domain } = config
  await client.registerHost({ host, capacityBytes, ...(domain === undefined ? {} : { domain }) })
}

async function lookAround(patient: Patient, ice: readonly string[]): Promise<ReachFacts> {
  const { config, isRunning, around } = patient
  const servers = ice.map(parseIceServer).filter((one) => one !== undefined)
  const probe = await ProbeSocket.open(isRunning ? 0 : (config.udpPort ?? 0), around)
  let stun: { asked: number; seen: Endpoint[] }
  let knock: ReachFacts['knock']
  try {
    stun = await askServers(probe, await addressesOf(servers))
    knock = isRunning
      ? { came: null, why: 'the port is in use: stop the host, and ask again' }
      : await tryKnock(patient, probe, stun.seen)
  } finally {
    await probe.close()
  }
  const dial = await (isRunning ? tryDial(patient) : answerDial(patient, ice))
  const own = Object.values(networkInterfaces()).flatMap((one) => (one ?? []).map(({ address }) => address))
  const hasTurn = servers.some((one) => one.kind === 'turn')
  return { udpPort: config.udpPort, isRunning, own, ...stun, knock, dial, hasTurn }
}

/** A TURN server answers plain STUN as well. */
async function addressesOf(servers: readonly { host: string; port: number }[]): Promise<Endpoint[]> {
  const found = servers.map(async ({ host, port }) => {
    const address = await lookup(host, 4).catch(() => null)
    return address === null ? [] : [{ address: address.address, port }]
  })
  const all = (await Promise.all(found)).flat()
  return [...new Map(all.map((one) => [endpointText(one), one])).values()]
}

/** Each, and then the other address of one that has two. */
async function askServers(
  probe: ProbeSocket,
  servers: readonly Endpoint[],
): Promise<{ asked: number; seen: Endpoint[] }> {
  const answers = (await Promise.all(servers.map((one) => probe.ask(one)))).filter((one) => one !== undefined)
  const other = answers.find((one) => one.other !== undefined)?.other
  const more = other === undefined ? undefined : await probe.ask(other)
  const seen = [...answers, ...(more === undefined ? [] : [more])].map((one) => one.mapped)
  return { asked: servers.length + (other === undefined ? 0 : 1), seen }
}

async function tryKnock(patient: Patient, probe: ProbeSocket, seen: readonly Endpoint[]): Promise<ReachFacts['knock']> {
  const { client, host, config, around } = patient
  const nonce = around.random(16)
  // Forwarded, it is reached at its own number, whatever the router makes of what leaves.
  const port = config.udpPort ?? seen[0]?.port ?? probe.port
  const heard = probe.knock(nonce)
  try {
    const { address, sent } = await askKnock(
      client,
      host,
      { port, nonce: nonce.toString('hex') },
      { timeoutMs: BRIDGE_MS },
    )
    const came = await heard.within(sent ? KNOCK_MS : 0)
    if (came) return { came }
    if (!sent) return { came: null, why: `the bridge cannot send to ${address}` }
    const [first] = seen
    const isElsewhere = first !== undefined && first.address !== address
    return isElsewhere ? { came: null, why: `the bridge sees ${address}, a STUN server ${first.address}` } : { came }
  } catch (error) {
    await heard.within(0)
    return { came: null, why: explain(error).detail }
  }
}

async function tryDial({ client, host }: Patient): Promise<Dialed> {
  try {
    return await askDial(client, host, { timeoutMs: DIAL_MS })
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return { reached: false, code: error.code, kind: null, outside: null }
  }
}

/** Stands in for the host while the bridge dials it. */
async function answerDial(patient: Patient, ice: readonly string[]): Promise<Dialed> {
  const { client, key, config, around, log } = patient
  const { clock } = around
  const socket = new BridgeSocket({ client, clock, log })
  const { udpPort } = config
  const transport = around.openPeers({
    ...{ key, signaling: socket, nowMs: () => client.time.nowMs(), clock, log, bridgeUrl: client.url },
    iceServers: async () => [...ice],
    ...(udpPort === undefined ? {} : { udpPort }),
  })
  transport.serve(async (_from, { method }) => {
    if (method !== METHOD.ping) throw new AppError('busy', 'the host is being examined', { retry: 'later' })
    return { head: encodePingReply({ timeMs: clock.nowMs(), freeBytes: 0 }) }
  })
  try {
    socket.start()
    if (!(await isConnected(socket, clock))) return { reached: false, code: 'offline', kind: null, outside: null }
    return await tryDial(patient)
  } finally {
    await socket.stop()
    await transport.stop()
  }
}

async function isConnected(socket: BridgeSocket, clock: Surroundings['clock']): Promise<boolean> {
  const endsAt = clock.monotonicMs() + LINE_MS
  while (!socket.state().connected && clock.monotonicMs() < endsAt) await clock.sleep(50)
  return socket.state().connected
}
