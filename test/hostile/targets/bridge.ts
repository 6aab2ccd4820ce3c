/** Every call of the bridge's API: its body, the words of its address, who asks. */

import { hexOf } from '../../../src/base/hex.js'
import { ROUTES, type Route } from '../../../src/bridge/api/routes.js'
import { driveId, peerId } from '../../../src/model/ids.js'
import { makeWriterTerm } from '../../../src/permits/chain-author.js'
import { decodeGenesis } from '../../../src/permits/chain-bodies.js'
import { decodeRecord, joinRecords, signRecord } from '../../../src/permits/chain-record.js'
import { appendRecord, startChain } from '../../../src/permits/chain-rules.js'
import { BRIDGE_CODES } from '../../../src/wire/bridge-codes.js'
import { mutate } from '../../support/mutate.js'
import { mutateJson } from '../../support/mutate-json.js'
import { keyOf, segmentNamed } from '../../support/named.js'
import { type SharedBridge, sharedBridge } from '../../support/shared-bridge.js'
import { jsonSamples, type Opened, spoilBytes, type Target } from '../target.js'

const API = ['src/bridge/api/routes.ts', 'src/wire/check.ts']
const HEX = 'ab'.repeat(32)
/** `internal` is a fault of the bridge's own, whatever it was asked. */
const CODES = BRIDGE_CODES.filter((code) => code !== 'internal')
const nameOf = (route: Route) => `${route.method} ${route.path}`
const routeOf = (name: string) => ROUTES.find((one) => nameOf(one) === name) as Route

interface Asked {
  body?: Buffer
  params?: Record<string, string>
  query?: Record<string, string>
  label?: string
}

function ask(shared: SharedBridge, name: string, key: string, asked: Asked): Promise<object | Buffer> {
  const { drive, hosts, service } = shared
  const params = { drive: drive.id as string, host: hosts[0]?.id as string, ...asked.params }
  const caller = { key: peerId(key), address: '127.0.0.1' }
  const { body = Buffer.alloc(0), query = {}, label = '' } = asked
  return routeOf(name).run(service, { caller, params, query, body, label })
}

type Bodies = (shared: SharedBridge) => { key: string; sound: object }

const one = segmentNamed('placed')
const device: (sound: object) => Bodies = (sound) => (shared) => ({ key: shared.drive.device.id, sound })
const silent = { segment: one.segment, index: 3, kind: 'silent', detail: 'silent detail, canary' }
const JSON_BODIES: Record<string, Bodies> = {
  'POST /v1/accounts': ({ drive: { account, genesis } }) => ({
    key: account.id,
    sound: { account: account.id, recoveryKey: decodeGenesis(genesis.body).recoveryKey.toString('hex') },
  }),
  'POST /v1/drives/:drive/heartbeat': device({ term: 1, released: false }),
  'POST /v1/drives/:drive/place': (shared) => {
    const { dataShards: k, totalShards: n, paddedLength, shardLength, shards } = segmentNamed('other')
    return device({ segments: [{ segment: HEX, root: HEX, k, n, paddedLength, shardLength, shards }] })(shared)
  },
  'POST /v1/drives/:drive/commit': (shared) =>
    device({ segment: one.segment, receipts: [shared.receipt.toString('hex')] })(shared),
  'POST /v1/drives/:drive/locate': device({ segments: [one.segment, HEX] }),
  'POST /v1/drives/:drive/tokens': (shared) => device({ hosts: [shared.hosts[0]?.id, HEX] })(shared),
  'POST /v1/drives/:drive/evidence': (shared) => device({ host: shared.hosts[0]?.id, ...silent })(shared),
  'POST /v1/hosts': ({ hosts: [host] }) => ({
    key: host?.id as string,
    sound: { host: host?.id, capacityBytes: 2 ** 40, domain: 'op' },
  }),
  'POST /v1/repairs/lease': () => ({ key: keyOf('worker').id, sound: { first: false } }),
  'POST /v1/repairs/done': ({ hosts: [host], receipt }) => {
    const faults = [{ index: 3, host: host?.id, way: 'fetch', code: 'shard-not-found' }]
    const sound = { lease: 1, receipts: [receipt.toString('hex')], faults, code: 'shards-unreachable' }
    return { key: keyOf('worker').id, sound }
  },
  'POST /v1/hosts/:host/report': ({ hosts: [host] }) => ({
    key: host?.id as string,
    sound: { usedBytes: 1, freeBytes: 2 ** 39, capacityBytes: 2 ** 40 },
  }),
  // Port 9 is where nobody listens.
  'POST /v1/hosts/:host/knock': ({ hosts: [host] }) => ({
    key: host?.id as string,
    sound: { port: 9, nonce: HEX.slice(0, 32) },
  }),
  'POST /v1/hosts/:host/dial': ({ hosts: [host] }) => ({ key: host?.id as string, sound: {} }),
  'POST /v1/drives/:drive/restate': (shared) => {
    const { segment, root, dataShards: k, totalShards: n, paddedLength, shardLength, shards } = one
    const places = shards.map((shard, index) => ({ index, shard, host: shared.hosts[index]?.id ?? null }))
    const known = { segment, root: hexOf(root), k, n, paddedLength, shardLength, generation: 1, shards: places }
    const end = { head: { sequence: 1, hash: hexOf(shared.drive.state.head.hash) }, unfound: 0 }
    return device({ incarnation: 1, segments: [known, { ...known, segment: 'cd'.repeat(32), shards: [] }], end })(
      shared,
    )
  },
  'POST /v1/bridge/reconcile': ({ world }) => ({ key: world.key.id, sound: { begin: false, force: false } }),
  'POST /v1/hosts/:host/exit': ({ hosts: [host] }) => ({ key: host?.id as string, sound: { cancel: true } }),
  'POST /v1/hosts/:host/losses': ({ hosts: [host], drive }) => ({
    key: host?.id as string,
    sound: {
      losses: [0, 1].map((index) => ({
        ...{ pseudonym: drive.id, segment: one.segment, index, shard: one.shards[index], generation: 1 },
      })),
    },
  }),
}

const SCHEMAS: Record<string, string> = {
  'POST /v1/accounts': 'wire/api.ts AccountRequest',
  'POST /v1/drives/:drive/heartbeat': 'wire/api.ts HeartbeatRequest',
  'POST /v1/drives/:drive/place': 'wire/api.ts PlaceRequest',
  'POST /v1/drives/:drive/commit': 'wire/api.ts CommitRequest',
  'POST /v1/drives/:drive/locate': 'wire/api.ts LocateRequest',
  'POST /v1/drives/:drive/tokens': 'wire/api.ts TokensRequest',
  'POST /v1/drives/:drive/evidence': 'wire/api.ts EvidenceRequest',
  'POST /v1/repairs/lease': 'wire/repair-api.ts LeaseRequest',
  'POST /v1/repairs/done': 'wire/repair-api.ts DoneRequest',
  'POST /v1/hosts': 'wire/host-api.ts HostRequest',
  'POST /v1/hosts/:host/report': 'wire/host-api.ts HostReport',
  'POST /v1/hosts/:host/knock': 'wire/host-api.ts KnockRequest',
  'POST /v1/hosts/:host/dial': 'wire/host-api.ts DialRequest',
  'POST /v1/drives/:drive/restate': 'wire/api.ts RestateRequest',
  'POST /v1/bridge/reconcile': 'wire/api.ts ReconcileRequest',
  'POST /v1/hosts/:host/exit': 'wire/host-api.ts ExitRequest',
  'POST /v1/hosts/:host/losses': 'wire/host-api.ts LossesRequest',
}

/** What a refusal leaves as it was: the database, but for when a device was last seen, which the first call wrote. */
function common(shared: SharedBridge): Pick<Opened, 'codes' | 'taken' | 'state' | 'said' | 'secrets'> {
  // A sealed label and a receipt are nobody's business but theirs who sent them.
  const secrets = [shared.receipt.subarray(0, 64), Buffer.from('silent detail, canary')]
  return { codes: CODES, taken: 'sometimes', state: () => shared.version(), said: shared.said, secrets }
}

function jsonCall(name: string, bodies: Bodies): Target {
  const open = async (): Promise<Opened> => {
    const shared = await sharedBridge()
    const { key, sound } = bodies(shared)
    return {
      ...common(shared),
      samples: jsonSamples([sound]),
      spoil: (dice) => mutateJson(dice, sound),
      take: (body) => ask(shared, name, key, { body }),
    }
  }
  return { name, of: API, is: [name, SCHEMAS[name] as string], open }
}

/** A host's word, changed on its way: counted as nothing. */
function receipts(): Target {
  const open = async (): Promise<Opened> => {
    const shared = await sharedBridge()
    const send = (receipt: Buffer) => {
      const body = Buffer.from(JSON.stringify({ segment: one.segment, receipts: [receipt.toString('hex')] }))
      return ask(shared, 'POST /v1/drives/:drive/commit', shared.drive.device.id, { body })
    }
    return { ...common(shared), samples: [shared.receipt], take: send, taken: 'never' }
  }
  return { name: 'receipt at the bridge, changed', of: ['src/bridge/contracts/commits.ts'], open }
}

/** Half of them are changed on their way, half are signed by the device with bodies, kinds and terms of its choosing. */
function appended(): Target {
  const name = 'POST /v1/drives/:drive/chain'
  const open = async (): Promise<Opened> => {
    const shared = await sharedBridge()
    const drive = await shared.world.drive('appended to')
    await drive.claim()
    const epoch = () => drive.epoch({ confirm: [], retire: [segmentNamed('x').segment] })
    return {
      ...common(shared),
      samples: [epoch().encoded],
      spoil: (dice) => {
        const sound = epoch()
        if (dice.roll(0, 1) === 0) return mutate(dice, sound.encoded)
        const kind = (dice.roll(0, 3) === 0 ? dice.roll(1, 8) : sound.kind) as typeof sound.kind
        const writerTerm = dice.roll(0, 7) === 0 ? dice.roll(0, 3) : sound.writerTerm
        const keyTerm = dice.roll(0, 7) === 0 ? dice.roll(0, 3) : sound.keyTerm
        const body = mutate(dice, sound.body)
        return signRecord({ ...sound, body, kind, writerTerm, keyTerm }, drive.device).encoded
      },
      take: async (body) => {
        await ask(shared, name, drive.device.id, { body, params: { drive: drive.id } })
        drive.state = appendRecord(drive.state, decodeRecord(body))
      },
      conclude: async () => {
        const head = await drive.client.head(drive.id)
        const same = head.sequence === drive.state.head.sequence && head.hash.equals(drive.state.head.hash)
        return same ? [] : ['the chain is not what was answered']
      },
    }
  }
  return { name, of: [...API, 'src/bridge/segments/chains.ts'], is: [name], open }
}

/** Records of a drive that is there and of one that is not, changed on their way, brought by a stranger. */
function restored(): Target {
  const name = 'POST /v1/drives/:drive/chain/restore'
  const open = async (): Promise<Opened> => {
    const shared = await sharedBridge()
    const drive = await shared.world.drive('restored')
    const lost = await lostDrive(shared)
    // Only then may a stranger bring anything.
    const begin = Buffer.from(JSON.stringify({ begin: true }))
    await ask(shared, 'POST /v1/bridge/reconcile', shared.world.key.id, { body: begin })
    return {
      ...common(shared),
      samples: [joinRecords([lost.genesis.encoded, lost.claim.encoded])],
      take: (body) => {
        const params = { drive: lost.genesis.drive as string }
        return ask(shared, name, drive.device.id, { body, params, label: 'ab'.repeat(40) })
      },
      conclude: async () => {
        const head = await shared.world.client(lost.key).head(lost.genesis.drive)
        return head.hash.equals(lost.claim.hash) ? [] : ['the chain is not what its device signed']
      },
    }
  }
  return { name, of: [...API, 'src/bridge/segments/chains.ts', 'src/bridge/accounts/accounts.ts'], is: [name], open }
}

/** A drive that this bridge does not know, with two records. */
async function lostDrive({ world }: SharedBridge) {
  const { account, device: key, genesis: model } = await world.drive('model')
  const drive = driveId(Buffer.alloc(16, 7))
  const genesis = signRecord({ ...model, drive }, account)
  const claim = makeWriterTerm(startChain(genesis), world.clock.nowMs(), key)
  return { genesis, claim, key }
}

function created(): Target {
  const name = 'POST /v1/drives'
  const open = async (): Promise<Opened> => {
    const shared = await sharedBridge()
    const { account, genesis } = shared.drive
    return {
      ...common(shared),
      samples: [genesis.encoded],
      spoil: (dice, samples) => {
        if (dice.roll(0, 1) === 0) return spoilBytes(dice, samples)
        return signRecord({ ...genesis, body: mutate(dice, genesis.body) }, account).encoded
      },
      take: (body) => ask(shared, name, account.id, { body, label: 'ab' }),
    }
  }
  return { name, of: [...API, 'src/bridge/accounts/accounts.ts'], is: [name], open }
}

/** Words of the address: which drive or host, from where; and the label header. */
function word(
  name: string,
  what: 'drive' | 'host' | 'id' | 'from' | 'label',
  sound: (shared: SharedBridge) => string,
): Target {
  const open = async (): Promise<Opened> => {
    const shared = await sharedBridge()
    const { device, account, genesis } = shared.drive
    return {
      ...common(shared),
      samples: [Buffer.from(sound(shared))],
      take: (input) => {
        const text = input.toString('latin1')
        if (what === 'label') return ask(shared, name, account.id, { body: genesis.encoded, label: text })
        if (what === 'from') return ask(shared, name, device.id, { query: { from: text } })
        const asker = what === 'drive' ? device.id : (shared.hosts[0]?.id as string)
        return ask(shared, name, asker, { params: { [what]: text } })
      },
    }
  }
  return { name: `${name}, ${what}`, of: API, is: [name], open }
}

const driveText = (shared: SharedBridge) => shared.drive.id as string
const words = [
  word('POST /v1/drives', 'label', () => 'ab'.repeat(40)),
  word('GET /v1/drives/:drive/chain', 'from', () => '1'),
  word('GET /v1/hosts/:host/standing', 'host', (shared) => shared.hosts[0]?.id as string),
  word('GET /v1/hosts/:host/transcripts/:id', 'id', (shared) => String(shared.transcript)),
  ...['devices', 'head', 'chain', 'health'].map((name) => word(`GET /v1/drives/:drive/${name}`, 'drive', driveText)),
]

/** Nothing in these calls but who asks. */
function keyOnly(name: string): Target {
  const open = async (): Promise<Opened> => {
    const shared = await sharedBridge()
    return {
      ...common(shared),
      samples: [Buffer.from(name === 'GET /v1/status' ? shared.world.bridge.id : shared.drive.device.id, 'hex')],
      take: (input) => ask(shared, name, input.toString('hex'), {}),
      // A stranger sees no drives: that is an answer.
      taken: name === 'GET /v1/drives' ? 'sometimes' : 'never',
      codes: [...CODES],
    }
  }
  return { name: `${name}, key`, of: API, is: [name], open }
}

export const bridgeTargets: readonly Target[] = [
  ...Object.entries(JSON_BODIES).map(([name, bodies]) => jsonCall(name, bodies)),
  receipts(),
  appended(),
  restored(),
  created(),
  ...words,
  ...['GET /v1/drives', 'GET /v1/space', 'GET /v1/status'].map(keyOnly),
]
