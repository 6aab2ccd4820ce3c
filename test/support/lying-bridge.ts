/**
 * A bridge that lies, with its own real key: everything it says is well-formed and signed. The lies stand between the
 * service and the signature of the reply, and between two ends of a signal; they are switched on and off while it runs.
 *
 *     const liar = new LyingBridge()
 *     const bridge = await startBridge(parts, liar.options)
 *     liar.lies.wrongShardIds = true
 */

import type { BridgeService, Caller } from '../../src/bridge/api/service.js'
import type { BridgeOptions } from '../../src/bridge/bridge.js'
import { decodeRecord } from '../../src/permits/chain-record.js'
import type { LocateReply, PlaceReply } from '../../src/wire/api.js'
import type { SignalMessage } from '../../src/wire/socket.js'

/** In a signed description (docs/protocol.md section 3). */
const TYPE_OFFSET = 5
const ANSWER = 2

export interface Lies {
  /** Locate names ids of shards that are not the segment's. */
  wrongShardIds: boolean
  /** Locate says of every shard that the next host of the segment holds it. */
  wrongHosts: boolean
  /** Locate knows nothing. */
  forgetSegments: boolean
  /** Place gives every token to the next host in the list. */
  shuffleTokens: boolean
  /** The chain ends at this sequence number: head and records behind it are held back. */
  truncateAt: number | null
  /** One record of the chain comes with a flipped bit. */
  damageRecord: number | null
  /** Appends are answered as if they had happened, and forgotten. */
  dropAppends: boolean
  /** Nobody is heard when he says that he stops writing. */
  loseReleases: boolean
  /** Commits are answered as if every receipt had been counted. */
  inventReceipts: boolean
  /** Callers for whom this says true live on another history: another service, of a copy of the database. */
  fork: { service: BridgeService; isOther: (caller: Caller) => boolean } | null
  /** The DTLS fingerprint in every relayed description becomes another one. */
  swapFingerprints: boolean
  /** Only in answers. */
  swapAnswersOnly: boolean
  /** Head and chain of every drive are those of this one, as this caller sees them. */
  otherDrive: { caller: Caller; drive: string } | null
  /** Signals are lost. */
  dropSignals: boolean
  /** It does not hear from hosts that its books were newer once. */
  ignoreMarks: boolean
}

export class LyingBridge {
  readonly lies: Lies = {
    wrongShardIds: false,
    wrongHosts: false,
    forgetSegments: false,
    shuffleTokens: false,
    truncateAt: null,
    damageRecord: null,
    dropAppends: false,
    loseReleases: false,
    inventReceipts: false,
    fork: null,
    swapFingerprints: false,
    swapAnswersOnly: false,
    otherDrive: null,
    dropSignals: false,
    ignoreMarks: false,
  }
  /** How often a lie was told. */
  told = 0
  /** The honest service, for a fork of another liar. */
  honest!: BridgeService

  /** For startBridge. */
  get options(): Pick<BridgeOptions, 'around' | 'onRelay'> {
    return { around: (service) => this.around(service), onRelay: (signal) => this.relay(signal) }
  }

  private around(honest: BridgeService): BridgeService {
    this.honest = honest
    const lied: BridgeService = {
      ...honest,
      head: async (caller, drive) => {
        const { truncateAt, otherDrive } = this.lies
        if (otherDrive !== null) {
          this.told++
          return honest.head(otherDrive.caller, otherDrive.drive as typeof drive)
        }
        const head = await honest.head(caller, drive)
        if (truncateAt === null || head.sequence <= truncateAt) return head
        const [record] = await honest.readChain(caller, drive, truncateAt)
        if (record === undefined) return head
        this.told++
        return { ...head, sequence: truncateAt, hash: decodeRecord(record).hash.toString('hex') }
      },
      readChain: async (caller, drive, from) => {
        const { otherDrive } = this.lies
        if (otherDrive === null) return this.chain(await honest.readChain(caller, drive, from))
        return honest.readChain(otherDrive.caller, otherDrive.drive as typeof drive, from)
      },
      appendRecord: async (caller, drive, bytes) => {
        if (!this.lies.dropAppends) return honest.appendRecord(caller, drive, bytes)
        this.told++
        const record = decodeRecord(bytes)
        return { sequence: record.sequence, hash: record.hash.toString('hex') }
      },
      heartbeat: async (caller, drive, request) => {
        if (!this.lies.loseReleases || request.released !== true) return honest.heartbeat(caller, drive, request)
        this.told++
        return {}
      },
      commit: async (caller, drive, request) => {
        const reply = await honest.commit(caller, drive, request)
        if (!this.lies.inventReceipts) return reply
        this.told++
        return { ...reply, stored: 8, committed: true }
      },
      reportHost: (caller, host, { mark, ...report }) => {
        const shown = mark === undefined || this.lies.ignoreMarks ? {} : { mark }
        return honest.reportHost(caller, host, { ...report, ...shown })
      },
      locate: async (caller, drive, request) => this.locate(await honest.locate(caller, drive, request)),
      place: async (caller, drive, request) => this.place(await honest.place(caller, drive, request)),
    }
    return this.forked(lied)
  }

  /** Each call goes to the history that its caller lives on. */
  private forked(lied: BridgeService): BridgeService {
    const entries = Object.entries(lied).map(([name, method]) => {
      const call = (...args: unknown[]) => {
        const { fork } = this.lies
        const caller = args[0] as Caller | undefined
        const other = fork !== null && caller !== undefined && fork.isOther(caller)
        if (other) this.told++
        const chosen = other ? fork.service[name as keyof BridgeService] : method
        return (chosen as (...all: unknown[]) => unknown)(...args)
      }
      return [name, call]
    })
    return Object.fromEntries(entries) as unknown as BridgeService
  }

  private chain(records: Buffer[]): Buffer[] {
    const { truncateAt, damageRecord } = this.lies
    return records
      .filter((record) => truncateAt === null || decodeRecord(record).sequence <= truncateAt)
      .map((record) => {
        if (damageRecord === null || decodeRecord(record).sequence !== damageRecord) return record
        this.told++
        const changed = Buffer.from(record)
        changed.writeUInt8(changed.readUInt8(changed.length - 70) ^ 1, changed.length - 70)
        return changed
      })
  }

  private locate(reply: LocateReply): LocateReply {
    const { wrongShardIds, wrongHosts, forgetSegments } = this.lies
    if (!wrongShardIds && !wrongHosts && !forgetSegments) return reply
    this.told++
    if (forgetSegments) return { segments: [] }
    return {
      segments: reply.segments.map((one) => ({
        ...one,
        shards: one.shards.map((shard, at, all) => ({
          ...shard,
          shard: wrongShardIds ? flipped(shard.shard) : shard.shard,
          host: wrongHosts ? (all[(at + 1) % all.length]?.host ?? null) : shard.host,
        })),
      })),
    }
  }

  private place(reply: PlaceReply): PlaceReply {
    if (!this.lies.shuffleTokens) return reply
    this.told++
    return {
      segments: reply.segments.map((one) => ({
        ...one,
        hosts: one.hosts.map((row, at, all) => ({ ...row, host: all[(at + 1) % all.length]?.host ?? row.host })),
      })),
    }
  }

  private relay(signal: SignalMessage): SignalMessage | null {
    if (this.lies.dropSignals) {
      this.told++
      return null
    }
    if (!this.lies.swapFingerprints) return signal
    const description = Buffer.from(signal.payload, 'base64').toString('latin1')
    if (this.lies.swapAnswersOnly && description.charCodeAt(TYPE_OFFSET) !== ANSWER) return signal
    const swapped = description.replace(
      /(a=fingerprint:sha-256 )([0-9A-Fa-f]{2})/g,
      (_, name: string, first: string) => {
        this.told++
        return name + (first.toUpperCase() === '00' ? '01' : '00')
      },
    )
    return { ...signal, payload: Buffer.from(swapped, 'latin1').toString('base64') }
  }
}

function flipped(id: string): string {
  return (id.startsWith('0') ? '1' : '0') + id.slice(1)
}
