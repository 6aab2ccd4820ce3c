/**
 * Bytes and requests that may be in flight, in all and for each peer. What does not fit waits: within a peer first come
 * first served, between peers in turns, and nothing overtakes one that waits for the total. Small requests (a ping, a
 * head) wait for none of this: they have turns of their own, and their bytes are not worth counting. Yields never.
 */
import { assert } from '../base/assert.js'
import { AppError } from '../base/errors.js'

/** Requests of up to this cost are small. */
export const SMALL_COST_BYTES = 4_096

export interface BudgetOptions {
  bytesMax: number
  bytesPerPeerMax: number
  /** Of all requests of a peer; a quarter of them is kept for small ones. */
  countPerPeerMax: number
  waitingPerPeerMax: number
}

export interface Lease {
  /** Gives the bytes back, or leaves the queue. Once or more often. */
  release(): void
  /** Gives a part back early. */
  shrink(bytes: number): void
  readonly granted: boolean
}

interface Entry {
  bytes: number
  small: boolean
  state: 'waiting' | 'granted' | 'released'
  onGranted: () => void
}

interface Account {
  bytes: number
  count: number
  largeCount: number
  waiting: Entry[]
  waitingSmall: Entry[]
}

export class Budget {
  private bytes = 0
  private readonly accounts = new Map<string, Account>()
  /** Peers with waiting entries, in turns. */
  private readonly turns = new Set<string>()
  private readonly options: BudgetOptions

  constructor(options: BudgetOptions) {
    assert(options.bytesPerPeerMax <= options.bytesMax, 'a peer fits the total')
    this.options = options
  }

  get bytesInUse(): number {
    return this.bytes
  }

  get waiting(): number {
    let waiting = 0
    for (const account of this.accounts.values()) waiting += account.waiting.length + account.waitingSmall.length
    return waiting
  }

  /** `cost` decides what is small, `bytes` is what is counted. Granted at once when the lease says so, else later. */
  acquire(peer: string, bytes: number, cost: number, onGranted: () => void): Lease {
    assert(bytes <= this.options.bytesPerPeerMax && bytes <= cost, 'one lease fits a peer')
    const account = this.accountOf(peer)
    const small = cost <= SMALL_COST_BYTES
    const entry: Entry = { bytes: small ? 0 : bytes, small, state: 'waiting', onGranted }
    if (this.mayPass(account, entry) && this.fits(account, entry)) {
      this.grant(account, entry)
    } else {
      const queue = queueOf(account, entry)
      if (queue.length >= this.options.waitingPerPeerMax) {
        throw new AppError('busy', `${queue.length} requests wait already`, { retry: 'later' })
      }
      queue.push(entry)
      this.turns.add(peer)
    }
    return this.leaseOf(peer, account, entry)
  }

  private leaseOf(peer: string, account: Account, entry: Entry): Lease {
    return {
      release: () => this.release(peer, account, entry),
      shrink: (bytes) => {
        if (entry.state !== 'granted' || entry.small) return
        assert(bytes <= entry.bytes, 'a lease shrinks to zero at most')
        entry.bytes -= bytes
        account.bytes -= bytes
        this.bytes -= bytes
        this.serveWaiting()
      },
      get granted() {
        return entry.state === 'granted'
      },
    }
  }

  private accountOf(peer: string): Account {
    let account = this.accounts.get(peer)
    if (account === undefined) {
      account = { bytes: 0, count: 0, largeCount: 0, waiting: [], waitingSmall: [] }
      this.accounts.set(peer, account)
    }
    return account
  }

  /** A newcomer may not overtake its own peer's queue, nor an entry of any peer that waits for the total alone. */
  private mayPass(account: Account, entry: Entry): boolean {
    if (queueOf(account, entry).length > 0) return false
    if (entry.small) return true
    for (const peer of this.turns) {
      const other = this.accounts.get(peer)
      const first = other?.waiting[0]
      if (other !== undefined && first !== undefined && this.fitsPeer(other, first)) return false
    }
    return true
  }

  private fitsPeer(account: Account, entry: Entry): boolean {
    const { countPerPeerMax, bytesPerPeerMax } = this.options
    if (account.count >= countPerPeerMax) return false
    if (entry.small) return true
    return account.largeCount < countPerPeerMax * 0.75 && account.bytes + entry.bytes <= bytesPerPeerMax
  }

  private fits(account: Account, entry: Entry): boolean {
    return this.fitsPeer(account, entry) && this.bytes + entry.bytes <= this.options.bytesMax
  }

  private grant(account: Account, entry: Entry): void {
    entry.state = 'granted'
    this.count(account, entry, 1)
  }

  private count(account: Account, entry: Entry, sign: 1 | -1): void {
    account.bytes += sign * entry.bytes
    account.count += sign
    if (!entry.small) account.largeCount += sign
    this.bytes += sign * entry.bytes
  }

  private release(peer: string, account: Account, entry: Entry): void {
    if (entry.state === 'released') return
    if (entry.state === 'granted') this.count(account, entry, -1)
    else {
      const queue = queueOf(account, entry)
      queue.splice(queue.indexOf(entry), 1)
      if (account.waiting.length + account.waitingSmall.length === 0) this.turns.delete(peer)
    }
    entry.state = 'released'
    this.serveWaiting()
    const unused = account.count + account.waiting.length + account.waitingSmall.length === 0
    if (unused && this.accounts.get(peer) === account) this.accounts.delete(peer)
  }

  private serveWaiting(): void {
    const granted: Entry[] = []
    for (let next = this.nextWaiting(); next !== undefined; next = this.nextWaiting()) {
      const { peer, account, entry } = next
      queueOf(account, entry).shift()
      this.turns.delete(peer)
      if (account.waiting.length + account.waitingSmall.length > 0) this.turns.add(peer)
      this.grant(account, entry)
      granted.push(entry)
    }
    // Last, because a callback may come back here.
    for (const entry of granted) if (entry.state === 'granted') entry.onGranted()
  }

  private nextWaiting(): { peer: string; account: Account; entry: Entry } | undefined {
    for (const peer of this.turns) {
      const account = this.accounts.get(peer)
      if (account === undefined) continue
      const small = account.waitingSmall[0]
      if (small !== undefined && this.fitsPeer(account, small)) return { peer, account, entry: small }
    }
    for (const peer of this.turns) {
      const account = this.accounts.get(peer)
      const entry = account?.waiting[0]
      if (account === undefined || entry === undefined || !this.fitsPeer(account, entry)) continue
      return this.bytes + entry.bytes <= this.options.bytesMax ? { peer, account, entry } : undefined
    }
    return undefined
  }
}

function queueOf(account: Account, entry: Entry): Entry[] {
  return entry.small ? account.waitingSmall : account.waiting
}
