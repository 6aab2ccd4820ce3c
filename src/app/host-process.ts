/** Mode host, composed: folder, bridge session, peers, the host itself. */
import type { Clock } from '../base/clock.js'
import type { AppError } from '../base/errors.js'
import type { Log } from '../base/log.js'
import type { RandomBytes } from '../base/random.js'
import { BridgeClient } from '../bridge-client/bridge-client.js'
import { fetchBridgeInfo } from '../bridge-client/bridge-info.js'
import { BridgeSocket } from '../bridge-client/bridge-socket.js'
import type { HostConfig } from '../host/config.js'
import { initHostFolder, openHostFolder } from '../host/folder.js'
import { Host, type HostOptions } from '../host/host.js'
import type { BridgeSession } from '../host/session.js'
import { bridgeId, type HostId } from '../model/ids.js'
import { iceServersOf } from './ice-servers.js'
import { REAL_SURROUNDINGS, type Surroundings } from './surroundings.js'

/** What the owner says of a new host. */
export interface HostInit extends Omit<HostConfig, 'version' | 'bridge'> {
  dir: string
}

/** Asks the bridge for its key (pinned from then on) and makes the folder. */
export async function initHost(init: HostInit, { clock, random }: Surroundings = REAL_SURROUNDINGS): Promise<HostId> {
  const { dir, ...settings } = init
  const info = await fetchBridgeInfo({ url: init.bridgeUrl, clock })
  return initHostFolder(dir, { version: 1, bridge: info.bridge, ...settings }, random)
}

export interface RunningHost {
  host: Host
  client: BridgeClient
  /** Is the line to the bridge open? */
  isConnected(): boolean
  /** Resolves when the host must end by itself: its disk or its index failed, or it runs in another place. */
  failed: Promise<AppError>
  stop(): Promise<void>
}

export async function runHost(
  dir: string,
  log: Log,
  { clock, random, openPeers }: Surroundings = REAL_SURROUNDINGS,
  options: HostOptions = {},
): Promise<RunningHost> {
  const folder = openHostFolder(dir)
  const { config, key } = folder
  const client = clientOf(config, key, { clock, random })
  const socket = new BridgeSocket({ client, clock, log, asProcess: true })
  const iceServers = iceServersOf(client, log)
  // Refuses to start with a bridge that is not ours. One that is away does not keep a host from starting.
  await iceServers()
  const transport = openPeers({
    key,
    signaling: socket,
    nowMs: () => client.time.nowMs(),
    clock,
    log,
    bridgeUrl: client.url,
    iceServers,
    ...(config.udpPort === undefined ? {} : { udpPort: config.udpPort }),
  })
  const session = sessionOf(client, socket)
  const traffic = () => {
    const { bytesSent, bytesReceived } = transport.counters
    return { sentBytes: bytesSent, receivedBytes: bytesReceived }
  }
  let fail: (error: AppError) => void = () => {}
  const failed = new Promise<AppError>((resolve) => {
    fail = resolve
  })
  socket.onState((state) => {
    if (!state.connected && state.trouble?.code === 'host-moved') fail(state.trouble)
  })
  try {
    const host = await Host.start({ folder, transport, session, clock, log, traffic, onFatal: fail }, options)
    const stop = async () => {
      await socket.stop()
      await transport.stop()
      await host.stop()
    }
    return { host, client, isConnected: () => socket.state().connected, failed, stop }
  } catch (error) {
    await transport.stop()
    throw error
  }
}

export function clientOf(
  config: HostConfig,
  key: BridgeClient['key'],
  { clock, random }: { clock: Clock; random: RandomBytes },
): BridgeClient {
  return new BridgeClient({ url: config.bridgeUrl, bridge: bridgeId(config.bridge), key, clock, random })
}

function sessionOf(client: BridgeClient, socket: BridgeSocket): BridgeSession {
  return {
    nowMs: () => client.time.nowMs(),
    // The bridge gives shards to hosts that it knows and hears: the line is opened once it knows us.
    register: async (request, options) => {
      const reply = await client.registerHost(request, options)
      socket.start()
      return reply
    },
    report: (host, report, options) => client.reportHost(host, report, options),
    reportLosses: (host, losses, options) => client.reportLosses(host, { losses }, options),
    onLine: (listener) =>
      socket.onState((line) => {
        if (line.connected || line.trouble?.code === 'unknown-key') listener()
      }),
    onDelete: (listener) => socket.onDelete(listener),
    sendDeleted: (answer) => socket.sendDeleted(answer),
  }
}
