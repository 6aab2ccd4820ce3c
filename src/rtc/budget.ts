/**
 * Bytes and requests that may be in flight, in all and for each peer. What does not fit waits: within a peer first come
 * first served, between peers in turns, and nothing overtakes one that waits for the total. Yields never.
 */
import { assert } from '../base/assert.js'
import { AppError } from '../base/errors.js'

export interface BudgetOptions {
  bytesMax: number
  bytesPerPeerMax: number
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
  state: 'waiting' | 'granted' | 'released'
  onGranted: () => void
}

interface Account {
  bytes: number
  count: number
  waiting: Entry[]
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
    for (const peer of this.turns) waiting += this.accounts.get(peer)?.waiting.length ?? 0
    return waiting
  }

  /** Granted at once when the lease says so; else `onGranted` is called later. Throws `busy` when too many wait. */
  acquire(peer: string, bytes: number, onGranted: () => void): Lease {
    assert(bytes <= this.options.bytesPerPeerMax, 'one lease fits a peer')
    const account = this.accountOf(peer)
    const entry: Entry = { bytes, state: 'waiting', onGranted }
    if (this.mayPass(account) && this.fits(account, entry)) {
      this.grant(account, entry)
    } else {
      if (account.waiting.length >= this.options.waitingPerPeerMax) {
        throw new AppError('busy', `${account.waiting.length} requests wait already`, { retry: 'later' })
      }
      account.waiting.push(entry)
      this.turns.add(peer)
    }
    return this.leaseOf(peer, account, entry)
  }

  private leaseOf(peer: string, account: Account, entry: Entry): Lease {
    return {
      release: () => this.release(peer, account, entry),
      shrink: (bytes) => {
        if (entry.state !== 'granted') return
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
      account = { bytes: 0, count: 0, waiting: [] }
      this.accounts.set(peer, account)
    }
    return account
  }

  /** A newcomer may not overtake its own peer's queue, nor an entry of any peer that waits for the total alone. */
  private mayPass(account: Account): boolean {
    if (account.waiting.length > 0) return false
    for (const peer of this.turns) {
      const other = this.accounts.get(peer)
      const first = other?.waiting[0]
      if (other !== undefined && first !== undefined && this.fitsPeer(other, first)) return false
    }
    return true
  }

  private fitsPeer(account: Account, entry: Entry): boolean {
    return account.count < this.options.countPerPeerMax && account.bytes + entry.bytes <= this.options.bytesPerPeerMax
  }

  private fits(account: Account, entry: Entry): boolean {
    return this.fitsPeer(account, entry) && this.bytes + entry.bytes <= this.options.bytesMax
  }

  private grant(account: Account, entry: Entry): void {
    entry.state = 'granted'
    account.bytes += entry.bytes
    account.count += 1
    this.bytes += entry.bytes
  }

  private release(peer: string, account: Account, entry: Entry): void {
    if (entry.state === 'released') return
    if (entry.state === 'granted') {
      account.bytes -= entry.bytes
      account.count -= 1
      this.bytes -= entry.bytes
    } else {
      account.waiting.splice(account.waiting.indexOf(entry), 1)
      if (account.waiting.length === 0) this.turns.delete(peer)
    }
    entry.state = 'released'
    this.serveWaiting()
    if (account.count === 0 && account.waiting.length === 0) this.accounts.delete(peer)
  }

  private serveWaiting(): void {
    const granted: Entry[] = []
    for (let next = this.nextWaiting(); next !== undefined; next = this.nextWaiting()) {
      const { peer, account, entry } = next
      account.waiting.shift()
      this.turns.delete(peer)
      if (account.waiting.length > 0) this.turns.add(peer)
      this.grant(account, entry)
      granted.push(entry)
    }
    // Last, because a callback may come back here.
    for (const entry of granted) if (entry.state === 'granted') entry.onGranted()
  }

  private nextWaiting(): { peer: string; account: Account; entry: Entry } | undefined {
    for (const peer of this.turns) {
      const account = this.accounts.get(peer)
      const entry = account?.waiting[0]
      if (account === undefined || entry === undefined || !this.fitsPeer(account, entry)) continue
      return this.bytes + entry.bytes <= this.options.bytesMax ? { peer, account, entry } : undefined
    }
    return undefined
  }
}
