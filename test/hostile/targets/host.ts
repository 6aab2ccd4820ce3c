/** A host: what peers ask of it, what lies in its volumes; and what it answers, as a reader takes it. */

import { createHmac } from 'node:crypto'
import { systemClock } from '../../../src/base/clock.js'
import { AppError } from '../../../src/base/errors.js'
import { shardTree } from '../../../src/crypto/merkle.js'
import { CHECKSUM_BYTES, RECORD_HEADER_BYTES } from '../../../src/host/shards/offsets.js'
import { decodeRecordHeader, encodeRecordHeader, hasPayload, RECORD_TYPE } from '../../../src/host/shards/record.js'
import { encodeVolumeHeader, inspectVolumeHeader, volumeKey } from '../../../src/host/shards/volume-header.js'
import { bridgeId, hostId, pseudonymId, segmentId, shardId } from '../../../src/model/ids.js'
import { HostScores } from '../../../src/mount/reader/host-scores.js'
import { ShardReader } from '../../../src/mount/reader/shard-reader.js'
import { decodeToken } from '../../../src/permits/token.js'
import { signWitness } from '../../../src/permits/witness.js'
import { WIRE_CODES } from '../../../src/wire/error-codes.js'
import { encodeInventoryRequest } from '../../../src/wire/inventory-methods.js'
import * as wire from '../../../src/wire/methods.js'
import { fixed, NOW_MS } from '../../support/host-folder.js'
import { HostBench } from '../../support/host-network.js'
import { noiseBytes } from '../../support/noise.js'
import { rampBytes } from '../../support/ramp.js'
import { scratchFolder } from '../../support/scratch-folder.js'
import { secretOf } from '../../support/secrets.js'
import { decoder, type Opened, spoilBytes, type Target } from '../target.js'

const ENDPOINT = [
  'src/host/endpoint/audit-desk.ts',
  'src/host/endpoint/endpoint.ts',
  'src/host/endpoint/inventory-desk.ts',
  'src/host/endpoint/token-desk.ts',
  'src/host/ledger/inventory-rows.ts',
]
const CODES = WIRE_CODES.filter((code) => code !== 'internal')
const payload = rampBytes(1, 5_000)
const EMPTY = Buffer.alloc(0)
const { METHOD } = wire

type Heads = (bench: HostBench) => Promise<Buffer>

const heads: Record<keyof typeof METHOD, Heads> = {
  ping: async () => EMPTY,
  put: async (bench) => wire.encodeTokenHead(await bench.putToken(1, payload)),
  get: async (bench) => {
    const shard = shardId((await shardTree(payload)).id)
    return wire.encodeGetRequest({ token: bench.token({ action: 'get' }), shard, firstLeaf: 0, leafCount: 5 })
  },
  head: async (bench) => {
    const shard = shardId((await shardTree(payload)).id)
    return wire.encodeHeadRequest({ token: bench.token({ action: 'get' }), shard })
  },
  delete: async (bench) => {
    const { target } = decodeToken(await bench.putToken(2, payload))
    return wire.encodeTokenHead(bench.token({ action: 'delete', target }))
  },
  putWitness: async (bench) => {
    const pseudonym = pseudonymId(fixed('drive', 0, 16))
    const witness = signWitness({ pseudonym, sequence: 1, hash: Buffer.alloc(32), timeMs: NOW_MS }, bench.device)
    return wire.encodePutWitnessRequest({ token: bench.token({ action: 'get' }), witness })
  },
  getWitness: async (bench) => wire.encodeTokenHead(bench.token({ action: 'get' })),
  audit: async (bench) => bench.challenge([{ shard: shardId((await shardTree(payload)).id), leaf: 2 }]),
  inventory: async () =>
    encodeInventoryRequest({ kind: 'list', fromPrefix: 0, toPrefix: 2 ** 32, limit: 9, after: null }),
  restore: async (bench) => {
    const holder = bridgeId(bench.bridge.id)
    return wire.encodeTokenHead(await bench.putToken(2, payload, { holder, generation: 0 }))
  },
}
/** Tokens of these are used once: a second use is refused whatever else is right. */
const ONCE: readonly string[] = ['put', 'delete', 'restore']
/** Asked by the bridge alone. */
const OF_BRIDGE: readonly string[] = ['audit', 'inventory', 'restore']

/** The head is hostile, and of a put the body too: for it the input is head, then body. */
function request(name: keyof typeof METHOD): Target {
  const open = async (): Promise<Opened> => {
    const { folder, remove } = scratchFolder()
    const bench = await HostBench.open(folder)
    for (const number of [1, 2]) await bench.put(number, payload)
    const head = await heads[name](bench)
    const from = OF_BRIDGE.includes(name) ? bridgeId(bench.bridge.id) : bench.peer
    const sound = name === 'put' ? Buffer.concat([head, payload]) : head
    const { shards, volumeBytes } = bench.store.totals()
    return {
      samples: [sound],
      spoil: (dice, samples) => {
        const behindToken = head.subarray(wire.TOKEN_BYTES)
        // A token that is not whole ends it: half of the requests come to what is behind.
        if (dice.roll(0, 1) === 0 || (behindToken.length === 0 && name !== 'put')) return spoilBytes(dice, samples)
        const rest = name === 'put' ? payload : behindToken
        return Buffer.concat([head.subarray(0, wire.TOKEN_BYTES), spoilBytes(dice, [rest])])
      },
      take: async (input, isSound) => {
        const [asked, body] =
          name === 'put' ? [input.subarray(0, head.length), input.subarray(head.length)] : [input, EMPTY]
        // Carried out once, it would be refused ever after: what is sound is seen by the gate alone.
        if (isSound && ONCE.includes(name))
          bench.endpoint.gate(bench.peer, { method: METHOD[name], head: asked, bodyLength: body.length })
        else await bench.call(METHOD[name], asked, body, from)
      },
      codes: CODES,
      // A challenge is signed as a whole, a token is used once.
      taken: ONCE.includes(name) || name === 'audit' ? 'never' : 'sometimes',
      conclude: () => {
        const after = bench.store.totals()
        return after.shards === shards && after.volumeBytes === volumeBytes ? [] : [JSON.stringify(after)]
      },
      close: async () => {
        await bench.stop()
        remove()
      },
    }
  }
  return { name: `host asked to ${name}`, of: ENDPOINT, is: [`endpoint ${name}`], open }
}

const HOST = hostId(noiseBytes(21, 32))
const NUMBER = 3
const key = volumeKey(secretOf(noiseBytes(22, 32)), NUMBER)
const record = (type: (typeof RECORD_TYPE)[keyof typeof RECORD_TYPE]) =>
  encodeRecordHeader(
    {
      ...{ type, index: 2, shard: shardId(noiseBytes(1, 32)), segment: segmentId(noiseBytes(2, 32)) },
      ...{ pseudonym: pseudonymId(noiseBytes(3, 16)), length: hasPayload(type) ? 75_776 : 0, generation: 4 },
      ...{ storedAtMs: NOW_MS, keepUntilMs: 0, serial: noiseBytes(5, 16).toString('hex') as never },
    },
    key,
  )

function checksummed(fields: Buffer): Buffer {
  return Buffer.concat([fields, createHmac('sha256', key).update(fields).digest().subarray(0, CHECKSUM_BYTES)])
}

/** No record of ours is null: that is a refusal here. */
function takeRecord(input: Buffer): void {
  if (decodeRecordHeader(input, key) === null) throw new AppError('malformed', 'no record')
}

const recordNames = Object.keys(RECORD_TYPE) as (keyof typeof RECORD_TYPE)[]
const records = recordNames.flatMap((name) => {
  const sample = Buffer.from(record(RECORD_TYPE[name]))
  const of = ['src/host/shards/record.ts']
  return [
    decoder(
      `volume record ${name}, changed`,
      of,
      {
        samples: [sample],
        spoil: (dice, samples) => spoilBytes(dice, samples).subarray(0, RECORD_HEADER_BYTES),
        take: takeRecord,
        codes: ['malformed'],
      },
      [`RECORD_TYPE.${name}`],
    ),
    // As a newer program, or this one gone mad, would have written it: the checksum fits.
    decoder(`volume record ${name}, checksummed`, of, {
      samples: [sample],
      spoil: (dice) => {
        const fields = spoilBytes(dice, [sample.subarray(0, RECORD_HEADER_BYTES - CHECKSUM_BYTES)])
        return checksummed(
          Buffer.concat([fields, Buffer.alloc(RECORD_HEADER_BYTES)]).subarray(0, RECORD_HEADER_BYTES - CHECKSUM_BYTES),
        )
      },
      take: takeRecord,
      codes: ['malformed', 'unsupported-version'],
    }),
  ]
})

const volumeHeader = decoder('volume header', ['src/host/shards/volume-header.ts'], {
  samples: [Buffer.from(encodeVolumeHeader({ host: HOST, number: NUMBER, createdMs: NOW_MS }))],
  take: (input) => {
    const state = inspectVolumeHeader(input, HOST, NUMBER)
    if (state !== 'ours') throw new AppError('malformed', state)
  },
  codes: ['malformed', 'unsupported-version'],
})

/** A host's answer to a reader: u16 length of the head, head, leaves. Wrong in any byte, it is a lie and not served. */
function getAnswer(): Target {
  const open = async (): Promise<Opened> => {
    const { folder, remove } = scratchFolder()
    const bench = await HostBench.open(folder)
    const whole = rampBytes(3, 150_000)
    await bench.put(3, whole)
    const shard = shardId((await shardTree(whole)).id)
    const range = { firstLeaf: 70, leafCount: 5 }
    const asked = wire.encodeGetRequest({ token: bench.token({ action: 'get' }), shard, ...range })
    const reply = await bench.call(METHOD.get, asked)
    const length = Buffer.alloc(2)
    length.writeUInt16BE(reply.head.length)
    let answer: Buffer = EMPTY
    const reader = new ShardReader({
      peers: {
        request: async () => {
          const end = Math.min(answer.length, 2 + (answer.length >= 2 ? answer.readUInt16BE() : 0))
          return { head: answer.subarray(2, end), body: answer.subarray(end) }
        },
      },
      token: async () => Buffer.alloc(wire.TOKEN_BYTES),
      report: () => undefined,
      scores: new HostScores(),
      clock: systemClock,
    })
    const place = { segment: segmentId(noiseBytes(1, 32)), index: 3, shard, shardLength: whole.length, host: HOST }
    const wanted = whole.subarray(70 * 1_024, 75 * 1_024)
    return {
      samples: [Buffer.concat([length, reply.head, reply.body as Buffer])],
      take: async (input) => {
        answer = input
        if (!(await reader.ask(place, range).bytes).equals(wanted)) throw new Error('wrong bytes were served')
      },
      codes: ['host-lies'],
      taken: 'never',
      close: async () => {
        await bench.stop()
        remove()
      },
    }
  }
  const of = ['src/mount/reader/shard-reader.ts', 'src/crypto/merkle.ts', 'src/wire/methods.ts']
  return { name: 'answer of a host to a get', of, is: ['shard proof'], open }
}

export const hostTargets: readonly Target[] = [
  ...(Object.keys(METHOD) as (keyof typeof METHOD)[]).map(request),
  ...records,
  volumeHeader,
  getAnswer(),
]
