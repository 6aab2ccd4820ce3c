/**
 * `shardrive bridge run` with what only tests need: settings that the command line has no word for (argv 3, JSON), time that is ahead
 * (argv 4, a file), chores that can be pulled at once, and the bytes that its own peer moved. argv 2: the folder.
 */
import path from 'node:path'
import { settleBridge } from '../../src/app/bridge-settings.js'
import { openPeers } from '../../src/app/peers.js'
import { openLog } from '../../src/base/log.js'
import { systemRandom } from '../../src/base/random.js'
import { startBridge } from '../../src/bridge/bridge.js'
import { loadBridgeKey } from '../../src/bridge/bridge-key.js'
import type { BridgeConfig } from '../../src/bridge/config.js'
import type { PeerNetwork } from '../../src/rtc/peer-network.js'
import { answerParent } from './answering-child.js'
import { shiftedClock } from './shifted-clock.js'

await answerParent(async () => {
  const [dir, settings = '{}', clockFile] = process.argv.slice(2) as [string, string?, string?]
  const config = settleBridge(dir, JSON.parse(settings) as Partial<BridgeConfig>)
  const key = loadBridgeKey(dir, systemRandom)
  const clock = shiftedClock(clockFile ?? path.join(dir, 'no-shift'))
  const log = openLog('bridge')
  const nowMs = () => clock.nowMs()
  let peers: PeerNetwork | null = null
  const bridgeUrl = new URL(`http://${config.listen}`)
  const transport = (signaling: Parameters<typeof openPeers>[0]['signaling']) => {
    peers = openPeers({ key, signaling, clock, log, nowMs, bridgeUrl, iceServers: async () => [] })
    return peers
  }
  const bridge = await startBridge({ dir, config, key, isSuccessor: true, clock, log, transport })
  const pulls: Record<string, () => Promise<unknown>> = {
    repair: () => bridge.pull.repair(),
    complete: () => bridge.pull.complete(),
    collect: async () => sumOf(await bridge.pull.collect()),
    sweep: async () => ({ swept: await bridge.pull.sweep() }),
    forget: () => bridge.pull.forget(),
    audit: () => bridge.pull.audit(),
  }
  return {
    facts: { bridge: bridge.url, id: bridge.id, pid: process.pid, dir },
    answer: async ({ pull }) => {
      const found = await pulls[String(pull)]?.()
      const { bytesSent = 0, bytesReceived = 0 } = peers?.counters ?? {}
      return { ...(found as object), movedBytes: bytesSent + bytesReceived, online: bridge.hostsOnline().length }
    },
    stop: () => bridge.stop(),
  }
})

function sumOf(rounds: readonly object[]): Record<string, number> {
  const sum: Record<string, number> = { rounds: rounds.length }
  for (const round of rounds) for (const [name, count] of Object.entries(round)) sum[name] = (sum[name] ?? 0) + count
  return sum
}
