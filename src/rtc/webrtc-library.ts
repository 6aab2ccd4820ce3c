/**
 * The only file that loads node-datachannel. It works in exactly one thread of a process, so networks in one process
 * share it; the last that lets go ends its threads. Loaded on first use: it costs 20 ms.
 */
import type { DataChannel, PeerConnection, RtcConfig } from 'node-datachannel'
import { assert } from '../base/assert.js'
import type { Log } from '../base/log.js'

export type { DataChannel, PeerConnection, RtcConfig }

export interface WebRtcLibrary {
  open(name: string, config: RtcConfig): PeerConnection
  /** Once for each acquire. */
  release(): void
}

let users = 0

export async function acquireLibrary(log: Log): Promise<WebRtcLibrary> {
  users += 1
  const library = await import('node-datachannel')
  if (users === 1) {
    // Without a callback initLogger throws. What the library calls an error is mostly a peer that went away.
    library.initLogger('Error', (_level, message) => log.debug({ library: 'datachannel' }, message.slice(0, 300)))
  }
  let released = false
  return {
    open: (name, config) => new library.PeerConnection(name, config),
    release: () => {
      assert(!released, 'the library is released once')
      released = true
      users -= 1
      if (users === 0) library.cleanup()
    },
  }
}
