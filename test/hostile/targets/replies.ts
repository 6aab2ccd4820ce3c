/** A bridge that lies to its clients: every reply of every call, refusals, the exchange around them, the socket, kept tokens. */
import { systemClock } from '../../../src/base/clock.js'
import { AppError } from '../../../src/base/errors.js'
import { BridgeClient } from '../../../src/bridge-client/bridge-client.js'
import { fetchBridgeInfo } from '../../../src/bridge-client/bridge-info.js'
import { BridgeSocket } from '../../../src/bridge-client/bridge-socket.js'
import { bridgeStatus, leaseRepair, reportRepair } from '../../../src/bridge-client/repair-calls.js'
import { decodeRefusal } from '../../../src/bridge-client/signed-exchange.js'
import { accountId, bridgeId, driveId, hostId, segmentId, shardId } from '../../../src/model/ids.js'
import { signReply } from '../../../src/permits/request-signature.js'
import type * as wireApi from '../../../src/wire/api.js'
import { HEADER } from '../../../src/wire/api.js'
import { decodeJson } from '../../../src/wire/check.js'
import * as hostApi from '../../../src/wire/host-api.js'
import * as repairApi from '../../../src/wire/repair-api.js'
import { type BridgeMessage, BridgeMessage as BridgeMessages } from '../../../src/wire/socket.js'
import { mutateJson } from '../../support/mutate-json.js'
import { RawAnswers } from '../../support/raw-answers.js'
import { health, leasedJob as job, bridgeStatus as statusSample } from '../../support/repair-samples.js'
import { keyOf } from '../../support/secrets.js'
import { readVectors } from '../../support/vectors.js'
import { jsonDecoder, jsonSamples, type Opened, type Target } from '../target.js'
import { address, keptTokens } from './bridge-words.js'

const CLIENT = [
  ...['bridge-client', 'bridge-calls', 'replies'].map((name) => `src/bridge-client/${name}.ts`),
  'src/wire/check.ts',
]
const EXCHANGE = ['src/bridge-client/signed-exchange.ts', 'src/bridge-client/http-exchange.ts']
const bridgeKey = keyOf(2)
const key = keyOf(1)
const [id, other] = ['ab'.repeat(32), 'cd'.repeat(32)]
const drive = driveId('d'.repeat(32))
const TOKEN = readVectors<{ put: { encoded: string } }>('token/token').put.encoded

function clientOf(url: string): BridgeClient {
  // Between attempts nothing is waited for.
  const clock = { ...systemClock, sleep: async () => true }
  return new BridgeClient({ url, bridge: bridgeId(bridgeKey.id), key, clock })
}

const client = clientOf('http://127.0.0.1:1')

/** What the bridge answers next; the exchange beneath has targets of its own. */
let answer: Buffer = Buffer.alloc(0)

const fileOf = (schema: string) => {
  if (schema in repairApi) return 'wire/repair-api.ts'
  return schema in hostApi ? 'wire/host-api.ts' : 'wire/api.ts'
}

type Call = (client: BridgeClient) => Promise<unknown>

export function reply(
  name: string,
  schema: keyof typeof wireApi | keyof typeof hostApi | keyof typeof repairApi,
  call: Call,
  bodies: readonly object[],
  more: readonly string[] = [],
): Target {
  const open = (): Opened => {
    const answered = Object.create(client) as BridgeClient
    Object.defineProperty(answered, 'run', { value: async () => answer })
    return {
      samples: jsonSamples(bodies),
      spoil: (dice) => mutateJson(dice, dice.pick(bodies)),
      take: (input) => {
        answer = input
        return call(answered)
      },
      codes: ['malformed'],
      taken: 'sometimes',
    }
  }
  return { name: `reply ${name}`, of: CLIENT, is: [`${fileOf(schema)} ${schema}`, ...more], open }
}

const head = { sequence: 7, hash: id }
const placed = {
  ...{ segment: id, root: other, k: 2, n: 4, paddedLength: 4_096, shardLength: 2_048 },
  ...{
    generation: 3,
    shards: [0, 1, 2, 3].map((index) => ({ index, shard: id, host: index === 0 ? null : other, stored: true })),
  },
}
const grant = {
  ...{ segment: id, generation: 1, commit: 4 },
  hosts: [0, 1, 2, 3].map((index) => ({ index, host: other, token: index === 1 ? null : TOKEN })),
}
const info = {
  ...{ bridge: bridgeKey.id, incarnation: 1, time: 1_700_000_000_000, policy: 'standard', version: '0.1.0' },
  ...{ ice: ['stun:stun.example:3478', 'turn:u:p@turn.example:3478'], scheme: { k: 4, n: 8 } },
}
const segment = segmentId(id)
const entry = {
  ...{ segment, root: Buffer.alloc(32), dataShards: 2, totalShards: 4, paddedLength: 4_096, shardLength: 2_048 },
  shards: [0, 1, 2, 3].map(() => shardId(id)),
}
const evidence = { host: id, segment: id, index: 1, kind: 'silent', detail: '' } as const
const report = { usedBytes: 1, freeBytes: 2, capacityBytes: 3 }
const standing = {
  ...{ state: 'watch', vettedAt: 1_700_000_000_000, score: 0.985, onlineShare: 1, shards: 9, bytes: 2 ** 30 },
  verdicts: { success: 900, fail: 3, offline: 2, timeout: 1, unknown: 0 },
  notices: [{ at: 1_700_000_000_000, state: 'watch', why: 'a proof was wrong', transcript: 7 }],
  exit: { phase: 'none', shardsLeft: 0 },
}
const reconciling = {
  ...{ incarnation: 1_700_000_000, frozenSince: 1_700_000_000_000, adopted: 5, lost: 1 },
  ...{ hosts: { known: 8, listed: 7 }, drives: { known: 2, told: 1 }, unclaimed: { shards: 9, bytes: 2 ** 30 } },
}
const loss = { pseudonym: drive, segment: id, index: 1, shard: other, generation: 2 }
const device = { device: id, addedAt: 5, revoked: false, lastSeenAt: null }
const writer = { device: id, term: 3, heartbeatAt: 1_700_000_000_000 }

const calls = [
  reply('info', 'BridgeInfo', (c) => c.info(), [info, { ...info, frozenSince: 5 }]),
  reply('create account', 'AccountReply', (c) => c.createAccount(accountId(id), Buffer.alloc(32)), [{ account: id }]),
  reply('create drive', 'DriveReply', (c) => c.createDrive(Buffer.alloc(9), Buffer.alloc(9)), [{ drive, head }]),
  reply('drives', 'DriveList', (c) => c.drives(), [{ drives: [{ drive, label: 'abcd', head, bytes: 5 }] }]),
  reply('devices', 'DeviceList', (c) => c.devices(drive), [{ devices: [device, { ...device, lastSeenAt: 8 }] }]),
  reply('head', 'WriterHead', (c) => c.head(drive), [
    { ...head, writer },
    { ...head, writer: null },
  ]),
  reply('append', 'HeadReply', (c) => c.append(drive, Buffer.alloc(9)), [head]),
  reply('heartbeat', 'Done', (c) => c.heartbeat(drive, { term: 1 }), [{}]),
  reply('place', 'PlaceReply', (c) => c.place(drive, [entry]), [{ segments: [grant] }]),
  reply('commit', 'CommitReply', (c) => c.commit(drive, segment, []), [{ segment: id, stored: 4, committed: true }]),
  reply('locate', 'LocateReply', (c) => c.locate(drive, [segment]), [{ segments: [placed] }, { segments: [] }]),
  reply('tokens', 'TokensReply', (c) => c.tokens(drive, [hostId(id)]), [{ tokens: [{ host: id, token: TOKEN }] }]),
  reply('health', 'HealthReply', (c) => c.health(drive), [health]),
  reply('evidence', 'Done', (c) => c.evidence(drive, evidence), [{}]),
  reply('space', 'SpaceReply', (c) => c.space(), [{ totalBytes: 9, freeBytes: 5, hostsOnline: 2, hostsTotal: 3 }]),
  reply('register host', 'HostReply', (c) => c.registerHost({ host: id, capacityBytes: 1 }), [
    { host: id, incarnation: 1 },
    { host: id, incarnation: 1, mark: 'ab'.repeat(98) },
  ]),
  reply('restore chain', 'HeadReply', (c) => c.restoreChain(drive, Buffer.alloc(9), null), [head]),
  reply('restate', 'RestateReply', (c) => c.restate(drive, { incarnation: 1, segments: [] }), [
    { added: 3, unfound: 1, told: false },
  ]),
  reply('reconcile', 'ReconcileReply', (c) => c.reconcile({}), [reconciling, { ...reconciling, frozenSince: null }]),
  reply('report host', 'ReportReply', (c) => c.reportHost(hostId(id), report), [{}, { mark: 'ab'.repeat(98) }]),
  reply('standing', 'HostStanding', (c) => c.standing(hostId(id)), [standing, { ...standing, vettedAt: null }]),
  reply('exit', 'HostStanding', (c) => c.exit(hostId(id), {}), [standing]),
  reply('losses', 'Done', (c) => c.reportLosses(hostId(id), { losses: [loss] }), [{}]),
]

const outcome = { lease: 7, receipts: [], faults: [], code: null }
const repairs = [
  reply('lease', 'LeaseReply', (c) => leaseRepair(c), [{ job }, { job: null }], ['wire/repair-api.ts LeasedJob']),
  reply('repair done', 'DoneReply', (c) => reportRepair(c, outcome), [{ stored: 2 }]),
  reply('bridge status', 'BridgeStatus', (c) => bridgeStatus(c), [statusSample]),
]

const refusals = [
  {
    error: {
      code: 'head-moved',
      message: 'other records came first',
      retry: 'later',
      details: { sequence: 4, hash: id },
    },
  },
  { error: { code: 'busy', message: 'later', retry: 'later', hint: 'wait' } },
]

const refusal = jsonDecoder(
  'refusal of the bridge',
  [...EXCHANGE, 'src/wire/check.ts'],
  refusals,
  (input) => {
    const { code, message, hint = '', details = {} } = decodeRefusal(input)
    const words = [code, message, hint, ...Object.keys(details), ...Object.values(details).map(String)]
    if (words.some((one) => /[\u0000-\u001f\u007f-\u009f]/.test(one))) throw new Error('control characters')
    if (words.join('').length > 40_000) throw new Error('a refusal of any length')
  },
  { is: ['wire/api.ts ErrorReply'] },
)

const EXCHANGE_CODES = [
  ...['bridge-signature', 'bridge-unreachable', 'bridge-refused', 'not-a-bridge', 'malformed', 'clock-skew'],
  ...['head-moved', 'busy'],
]

/** What the answering server says next: JSON {status, time, signed, header, body}. */
let said: Record<string, unknown> = {}

/** Arrays that are nested deeply have no text. */
function textOf(value: unknown): string {
  return typeof value === 'object' ? '' : String(value)
}

function rawAnswer(requestHead: string): Buffer {
  const nonce = /^shardrive-nonce: (.*)$/im.exec(requestHead)?.[1]?.trim() ?? ''
  const body = Buffer.from(textOf(said.body))
  const status = Number(textOf(said.status))
  const timeMs = said.time === 'now' ? Date.now() : 0
  const headers: Record<string, string> =
    said.signed === true ? signReply({ nonce, status, timeMs, body }, bridgeKey) : {}
  if (typeof said.header === 'string' && said.header !== '') headers[HEADER.reply] = said.header
  if (typeof said.time === 'string' && said.time !== 'now') headers[HEADER.bridgeTime] = said.time
  const lines = Object.entries({ ...headers, connection: 'close' }).map(([name, value]) => `${name}: ${value}`)
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${textOf(said.status)} Answer\r\n${lines.join('\r\n')}\r\n\r\n`), body])
}

/** The whole exchange, over a connection: signed unless it says otherwise. */
function exchange(name: string, of: readonly string[], body: object, run: (url: string) => Promise<unknown>): Target {
  const sound = { status: 200, time: 'now', signed: true, header: '', body: JSON.stringify(body) }
  const shapes = [sound, { ...sound, status: 409, body: JSON.stringify(refusals[0]) }]
  const open = async (): Promise<Opened> => {
    const server = await RawAnswers.listen(rawAnswer)
    return {
      samples: jsonSamples([sound]),
      spoil: (dice) => {
        const shape = dice.pick(shapes)
        if (dice.roll(0, 2) > 0) return Buffer.from(mutateJson(dice, shape))
        return Buffer.from(JSON.stringify({ ...shape, body: mutateJson(dice, body).toString('latin1') }))
      },
      take: async (input) => {
        try {
          said = JSON.parse(input.toString('utf8')) as typeof said
        } catch {
          throw new AppError('malformed', 'the enemy lost its thread')
        }
        if (typeof said !== 'object' || said === null) throw new AppError('malformed', 'the enemy lost its thread')
        await run(server.url)
      },
      codes: EXCHANGE_CODES,
      taken: 'sometimes',
      close: () => server.close(),
    }
  }
  return { name, of, open }
}

const exchanges = [
  exchange('signed exchange', EXCHANGE, { drives: [] }, (url) => clientOf(url).drives()),
  exchange('who is the bridge', ['src/bridge-client/bridge-info.ts'], info, (url) =>
    fetchBridgeInfo({ url, clock: systemClock }),
  ),
]

const session = 'ef'.repeat(16)
const messages: Record<string, BridgeMessage> = {
  hello: { type: 'hello', key: id, role: 'device' },
  signal: { type: 'signal', to: key.id, from: id, session, payload: 'QUJDRA==' },
  unreachable: { type: 'unreachable', to: id, session },
  delete: { type: 'delete', token: TOKEN },
}

/** Decoded as the line does, then told to the listeners as it is from a live one. */
function socketMessage(name: string, message: BridgeMessage): Target {
  const open = (): Opened => {
    const socket = new BridgeSocket({ client, clock: systemClock })
    const told: string[] = []
    socket.onSignal((from, _session, payload) => told.push(`${from} ${payload.length}`))
    socket.onUnreachable((to) => told.push(to))
    socket.onDelete((token) => told.push(String(token.length)))
    const receive = Reflect.get(socket, 'receive') as (message: BridgeMessage) => void
    return {
      samples: jsonSamples([message]),
      spoil: (dice) => mutateJson(dice, message),
      take: (input) => receive.call(socket, decodeJson(BridgeMessages, input, 'socket message')),
      codes: ['malformed'],
      taken: 'sometimes',
      conclude: () => told.filter((one) => !/^([0-9a-f]{64}|297)( \d+)?$/.test(one)),
    }
  }
  const of = ['src/bridge-client/socket-link.ts', 'src/bridge-client/bridge-socket.ts', 'src/wire/check.ts']
  return { name: `socket message ${name}, from the bridge`, of, is: [`BridgeMessage ${name}`], open }
}

export const replyTargets: readonly Target[] = [
  ...calls,
  ...repairs,
  refusal,
  ...exchanges,
  ...Object.entries(messages).map(([name, message]) => socketMessage(name, message)),
  keptTokens,
  address,
]
