/** Mode host, composed: folder, bridge session, peers, the host itself. */
import type { AppError } from '../base/errors.js'
import type { Log } from '../base/log.js'
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

export interface HostInit {
  dir: string
  bridgeUrl: string
  capacityBytes: number
  domain?: string
  udpPort?: number
}

/** Asks the bridge for its key (pinned from then on) and makes the folder. */
export async function initHost(init: HostInit, { clock, random }: Surroundings = REAL_SURROUNDINGS): Promise<HostId> {
  const info = await fetchBridgeInfo({ url: init.bridgeUrl, clock })
  const config: HostConfig = {
    version: 1,
    bridgeUrl: init.bridgeUrl,
    bridge: info.bridge,
    capacityBytes: init.capacityBytes,
    ...(init.domain === undefined ? {} : { domain: init.domain }),
    ...(init.udpPort === undefined ? {} : { udpPort: init.udpPort }),
  }
  return initHostFolder(init.dir, config, random)
}

export interface RunningHost {
  host: Host
  /** Resolves when the host must end by itself: its disk or its index failed. */
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
  const client = new BridgeClient({ url: config.bridgeUrl, bridge: bridgeId(config.bridge), key, clock, random })
  const socket = new BridgeSocket({ client, clock, log })
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
  const session: BridgeSession = {
    nowMs: () => client.time.nowMs(),
    // The bridge gives shards to hosts that it knows and hears: the line is opened once it knows us.
    register: async (request, options) => {
      const reply = await client.registerHost(request, options)
      socket.start()
      return reply
    },
    report: (host, report, options) => client.reportHost(host, report, options),
    onDelete: (listener) => socket.onDelete(listener),
    sendDeleted: (answer) => socket.sendDeleted(answer),
  }
  let fail: (error: AppError) => void = () => {}
  const failed = new Promise<AppError>((resolve) => {
    fail = resolve
  })
  try {
    const host = await Host.start({ folder, transport, session, clock, log, onFatal: fail }, options)
    const stop = async () => {
      await socket.stop()
      await transport.stop()
      await host.stop()
    }
    return { host, failed, stop }
  } catch (error) {
    await transport.stop()
    throw error
  }
}
