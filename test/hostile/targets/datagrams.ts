/** Answers of STUN servers, and knocks. */
import { isIP } from 'node:net'
import { decodeBindingReply } from '../../../src/rtc/stun.js'
import { decodeKnock, encodeKnock } from '../../../src/wire/knock.js'
import { stunReply } from '../../support/stun-reply.js'
import { decoder } from '../target.js'

const transaction = Buffer.alloc(12, 7)
const mapped = { address: '203.0.113.9', port: 7_411 }
const other = { address: '2001:db8:0:0:0:0:0:1', port: 3_479 }

export const datagramTargets = [
  decoder('STUN reply', ['src/rtc/stun.ts'], {
    samples: [
      stunReply(transaction, mapped),
      stunReply(transaction, mapped, other),
      stunReply(transaction, other, mapped),
    ],
    take: (input) => {
      const reply = decodeBindingReply(input, transaction)
      for (const { address, port } of [reply.mapped, reply.other ?? reply.mapped]) {
        if (isIP(address) === 0 || port < 1 || port > 65_535) throw new Error(`no address: ${address} ${port}`)
      }
    },
    codes: ['malformed'],
  }),
  decoder('knock', ['src/wire/knock.ts'], {
    samples: [encodeKnock(Buffer.alloc(16, 3))],
    take: (input) => {
      if (!encodeKnock(decodeKnock(input)).equals(input)) throw new Error('read as something else')
    },
    codes: ['malformed'],
  }),
]
