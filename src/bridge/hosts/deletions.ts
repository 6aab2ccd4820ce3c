/**
 * Tells hosts what to forget, over their sockets, a few at a time, until each deletion is answered. A host that does
 * not hold the shard, or holds a younger placement of it, has nothing to forget: that is an answer too. Everything else
 * (too young, busy, no answer) is tried again in a later round. While the books may be old, nobody forgets anything.
 */
import type { Clock } from '../../base/clock.js'
import type { HostId, PeerId, Serial } from '../../model/ids.js'
import { pseudonymOf } from '../../permits/pseudonym.js'
import type { DeletedMessage } from '../../wire/socket.js'
import type { TokenIssuer } from '../contracts/tokens.js'
import type { Deletion } from '../persist/host-rows.js'
import type { Store } from '../persist/store.js'
import type { Hub } from '../signaling/hub.js'
import type { HostRegistry } from './registry.js'

/** In flight to one host; its answers make room. */
const WINDOW = 64
const ANSWER_MS = 60_000
const SETTLED_CODES = new Set(['shard-not-found', 'shard-mismatch', 'old-generation'])

interface Waiting {
  id: number
  settle(): void
}

export interface DeletionsParts {
  store: Store
  hosts: HostRegistry
  hub: Hub
  tokens: TokenIssuer
  clock: Clock
  /** The books may be older than the world: nothing is deleted. */
  isFrozen: () => boolean
}

export class Deletions {
  private readonly parts: DeletionsParts
  private readonly waiting = new Map<string, Waiting>()
  private readonly rounds = new Map<HostId, Promise<void>>()

  constructor(parts: DeletionsParts) {
    this.parts = parts
  }

  /** One round over everything that an online host has to forget; a round that runs is joined. */
  round(host: HostId, signal: AbortSignal): Promise<void> {
    const running = this.rounds.get(host)
    if (running !== undefined) return running
    const round = this.run(host, signal).finally(() => this.rounds.delete(host))
    this.rounds.set(host, round)
    return round
  }

  private async run(host: HostId, signal: AbortSignal): Promise<void> {
    const { row, hasReported = false } = this.parts.hosts.get(host) ?? {}
    // Its first report shows whether these books were put back (persist/incarnations.ts): before it nothing is forgotten.
    if (row === undefined || !hasReported) return
    let after = 0
    while (!signal.aborted && this.parts.hub.isOnline(host) && !this.parts.isFrozen()) {
      const page = await this.parts.store.hosts.deletionsOf(row, after, WINDOW)
      if (page.length === 0) return
      after = page[page.length - 1]?.id ?? after
      const due = []
      for (const one of page) if (await this.isDue(host, row, one)) due.push(one)
      if (due.length === 0) continue
      // Else a loss of power could bring back books in which these are the only copies.
      await this.parts.store.flush()
      const answers = due.map((one) => {
        const { id, pseudonym, generation, segment, index, shard } = one
        const { token, serial } = this.parts.tokens.delete(host, pseudonym, { segment, index, shard }, generation)
        return this.ask(host, id, serial, token, signal)
      })
      const answered = await Promise.all(answers)
      // A host that answers nothing at all is not asked for more in this round.
      if (!answered.includes(true)) return
    }
  }

  /** An order is void when the same placement came back since: placed again, or restored. */
  private async isDue(host: HostId, row: number, one: Deletion): Promise<boolean> {
    const { store } = this.parts
    const placed = await store.books.of(row, one.shard)
    const isPlaced = placed.some(({ segment, index, generation, drive, lost }) => {
      const isSame = segment === one.segment && index === one.index && generation === one.generation && !lost
      return isSame && pseudonymOf(drive, host) === one.pseudonym
    })
    if (isPlaced) await store.hosts.removeDeletion(row, one.id)
    return !isPlaced
  }

  private async ask(host: HostId, id: number, serial: Serial, token: Buffer, signal: AbortSignal): Promise<boolean> {
    const ended = new AbortController()
    const stop = () => ended.abort()
    signal.addEventListener('abort', stop, { once: true })
    const key = `${host} ${serial}`
    this.waiting.set(key, { id, settle: stop })
    const sent = this.parts.hub.sendToHost(host, { type: 'delete', token: token.toString('hex') })
    const timedOut = !sent || (await this.parts.clock.sleep(ANSWER_MS, ended.signal))
    signal.removeEventListener('abort', stop)
    return !this.waiting.delete(key) && !timedOut
  }

  /** A host's answer; unknown serials are old news. */
  async onDeleted(host: PeerId, message: DeletedMessage): Promise<void> {
    const key = `${host} ${message.serial}`
    const waiting = this.waiting.get(key)
    const row = this.parts.hosts.get(host as HostId)?.row
    if (waiting === undefined || row === undefined) return
    this.waiting.delete(key)
    if (message.ok || SETTLED_CODES.has(message.code ?? ''))
      await this.parts.store.hosts.removeDeletion(row, waiting.id)
    waiting.settle()
  }
}
