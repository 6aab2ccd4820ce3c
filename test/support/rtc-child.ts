/**
 * A WebRTC node in a process of its own, started with fork: signaling goes over the channel to the parent.
 * argv: what it serves (echo, silent, none; limited: what a host serves, in bare bytes, at 2 MB/s each way).
 */
import { systemClock } from '../../src/base/clock.js'
import { silentLog } from '../../src/base/log.js'
import { systemRandom } from '../../src/base/random.js'
import { SigningKey } from '../../src/crypto/signing-key.js'
import { peerId } from '../../src/model/ids.js'
import { makeDescriptionSigner } from '../../src/permits/description.js'
import type { Signaling } from '../../src/rtc/signaling.js'
import { createWebRtcTransport } from '../../src/rtc/webrtc-transport.js'
import { METHOD } from '../../src/wire/methods.js'

const key = SigningKey.random(systemRandom)
const self = peerId(key.id)
const serves = process.argv[2]

const signaling: Signaling = {
  send: (to, session, payload) => void process.send?.({ to, session, payload: payload.toString('base64') }),
  onSignal: (listener) => {
    process.on('message', (message: { from?: string; session: string; payload: string }) => {
      if (message.from !== undefined)
        listener(peerId(message.from), message.session, Buffer.from(message.payload, 'base64'))
    })
    return () => {}
  },
  onUnreachable: () => () => {},
}

const parts = { self, signaling, clock: systemClock, random: systemRandom, log: silentLog }
const signer = makeDescriptionSigner(key, () => Date.now())
const transport = createWebRtcTransport({ ...parts, signer }, { bindAddress: '127.0.0.1' })
if (serves === 'echo') transport.serve(async (_from, { head, body }) => ({ head, body }))
if (serves === 'silent') transport.serve(() => new Promise(() => {}))
if (serves === 'limited') {
  transport.setRates({ upBytesPerSecondMax: 2_000_000, downBytesPerSecondMax: 2_000_000 })
  transport.serve(async (_from, { method, replyBytesMax }) => {
    const hasBody = method === METHOD.get || method === METHOD.audit
    return { head: Buffer.alloc(0), ...(hasBody ? { body: Buffer.alloc(replyBytesMax, 1) } : {}) }
  })
}

process.on('message', (message: { stop?: true }) => {
  if (message.stop) void transport.stop().then(() => process.disconnect())
})
process.on('disconnect', () => void transport.stop())
process.send?.({ self })
