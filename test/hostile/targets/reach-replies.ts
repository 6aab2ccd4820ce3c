/** What a bridge answers about how a host is reached. */
import { askDial, askKnock } from '../../../src/bridge-client/reach-calls.js'
import { hostId } from '../../../src/model/ids.js'
import { reply } from './replies.js'

const id = hostId('ab'.repeat(32))
const outside = { address: '203.0.113.9', port: 7_411 }

export const reachReplyTargets = [
  reply('knock', 'KnockReply', (client) => askKnock(client, id, { port: 7_411, nonce: '0'.repeat(32) }), [
    { address: outside.address, sent: true },
  ]),
  reply('dial', 'DialReply', (client) => askDial(client, id), [
    { reached: true, tookMs: 5, kind: 'direct', outside },
    { reached: false, code: 'peer-unreachable', tookMs: 10_000, kind: null, outside: null },
  ]),
]
