/** A repair worker beside a bridge, composed: its key and its bridge from the folder, its own line and peers, the worker. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { AppError } from '../base/errors.js'
import { explained, makeFolder, readSmall, writeWhole } from '../base/folders.js'
import type { Log } from '../base/log.js'
import { loadBridgeKey } from '../bridge/bridge-key.js'
import { Mender } from '../bridge/repairs/mender.js'
import { RepairWorker } from '../bridge/repairs/worker.js'
import { BridgeClient } from '../bridge-client/bridge-client.js'
import { fetchBridgeInfo } from '../bridge-client/bridge-info.js'
import { BridgeSocket } from '../bridge-client/bridge-socket.js'
import { leaseRepair, reportRepair } from '../bridge-client/repair-calls.js'
import { bridgeId } from '../model/ids.js'
import { Hex32 } from '../wire/api.js'
import { decodeJson } from '../wire/check.js'
import type { DoneRequest } from '../wire/repair-api.js'
import { closed, type Static, Type } from '../wire/schema.js'
import { iceServersOf } from './ice-servers.js'
import { REAL_SURROUNDINGS, type Surroundings } from './surroundings.js'

const WorkerJson = closed({ version: Type.Literal(1), bridgeUrl: Type.String({ maxLength: 2_048 }), bridge: Hex32 })
type WorkerJson = Static<typeof WorkerJson>

const FILE_BYTES_MAX = 8_192

export interface RunningWorker {
  /** The operator of the bridge lists it. */
  key: string
  bridgeUrl: string
  stop(): Promise<void>
}

/** `bridgeUrl` is said at the first start; the bridge's key is pinned then. `usage`, and the codes of fetchBridgeInfo. */
export async function runRepairWorker(
  dir: string,
  bridgeUrl: string | undefined,
  log: Log,
  surroundings: Surroundings = REAL_SURROUNDINGS,
): Promise<RunningWorker> {
  const { clock, random, openPeers } = surroundings
  explained(dir, () => makeFolder(dir))
  const key = loadBridgeKey(dir, random, 'repair.key')
  const kept = await settle(dir, bridgeUrl, surroundings)
  const client = new BridgeClient({ url: kept.bridgeUrl, bridge: bridgeId(kept.bridge), key, clock, random })
  const socket = new BridgeSocket({ client, clock, log })
  const iceServers = iceServersOf(client, log)
  const nowMs = () => client.time.nowMs()
  const transport = openPeers({ key, signaling: socket, nowMs, clock, log, bridgeUrl: client.url, iceServers })
  socket.start()
  const stopping = new AbortController()
  const bridge = {
    greet: (signal: AbortSignal) => leaseRepair(client, { first: true }, { signal }),
    lease: (signal: AbortSignal) => leaseRepair(client, {}, { signal }),
    done: (report: DoneRequest, signal: AbortSignal) => reportRepair(client, report, { signal }),
  }
  const worker = new RepairWorker({ bridge, mender: new Mender({ transport, clock }), clock, log })
  const running = worker.run(stopping.signal)
  return {
    key: key.id,
    bridgeUrl: kept.bridgeUrl,
    stop: async () => {
      stopping.abort()
      await running
      await socket.stop()
      await transport.stop()
      key.wipe()
    },
  }
}

async function settle(dir: string, said: string | undefined, { clock }: Surroundings): Promise<WorkerJson> {
  const file = path.join(dir, 'repair.json')
  if (existsSync(file)) {
    const kept = readWorkerFile(dir)
    return said === undefined ? kept : remember(file, { ...kept, bridgeUrl: said })
  }
  if (said === undefined) {
    throw new AppError('usage', 'a repair worker needs the address of its bridge', { hint: 'say it with --bridge' })
  }
  const { bridge } = await fetchBridgeInfo({ url: said, clock })
  return remember(file, { version: 1, bridgeUrl: said, bridge })
}

/** `malformed`. */
export function readWorkerFile(dir: string): WorkerJson {
  const file = path.join(dir, 'repair.json')
  return decodeJson(WorkerJson, readSmall(file, FILE_BYTES_MAX), file)
}

function remember(file: string, json: WorkerJson): WorkerJson {
  writeWhole(file, `${JSON.stringify(json, null, 2)}\n`)
  return json
}
