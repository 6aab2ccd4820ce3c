/** `shardrive bridge run --role repair` that can be asked how many bytes it moved. argv: its folder, the address of its bridge. */
import { openPeers } from '../../src/app/peers.js'
import { runRepairWorker } from '../../src/app/repair-process.js'
import { REAL_SURROUNDINGS } from '../../src/app/surroundings.js'
import { openLog } from '../../src/base/log.js'
import type { PeerNetwork } from '../../src/rtc/peer-network.js'
import { answerParent } from './answering-child.js'

await answerParent(async () => {
  const [dir, bridgeUrl] = process.argv.slice(2) as [string, string]
  let peers: PeerNetwork | null = null
  const worker = await runRepairWorker(dir, bridgeUrl, openLog('repair'), {
    ...REAL_SURROUNDINGS,
    openPeers: (settings) => {
      peers = openPeers(settings)
      return peers
    },
  })
  return {
    facts: { id: worker.key, pid: process.pid, dir },
    answer: async () => {
      const { bytesSent = 0, bytesReceived = 0 } = peers?.counters ?? {}
      return { movedBytes: bytesSent + bytesReceived }
    },
    stop: () => worker.stop(),
  }
})
