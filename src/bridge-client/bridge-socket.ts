/**
 * The standing line to the bridge (docs/protocol.md section 2): signals both ways, delete tokens to hosts. It reconnects
 * for ever with growing delays, notices dead lines by silence, and never throws at its users: what cannot be sent is
 * reported as unreachable. It conforms to the Signaling that rtc declares.
 *
 * Nothing that arrives is trusted for arriving: descriptions and delete tokens carry signatures of their own.
 */

import type { Clock } from '../base/clock.js'
import type { AppError } from '../base/errors.js'
import { type Log, silentLog } from '../base/log.js'
import { Nap } from '../base/nap.js'
import { systemRandom } from '../base/random.js'
import { type PeerId, peerId } from '../model/ids.js'
import {
  type BridgeMessage,
  type DeletedMessage,
  type ProcessName,
  processName,
  type SignalMessage,
  SOCKET_LIMITS,
} from '../wire/socket.js'
import type { BridgeClient } from './bridge-client.js'
import { type Link, type LinkParts, openLink } from './socket-link.js'

export interface BridgeSocketParts {
  /** Its address, keys and clock are used. */
  client: BridgeClient
  clock: Clock
  log?: Log
  /** Hosts: the process says which one it is, so that the bridge knows a copy of the host from a line that was cut. */
  asProcess?: boolean
}

export type SocketState = { connected: true } | { connected: false; trouble: AppError | null }
type Unsubscribe = () => void

const RECONNECT_FIRST_MS = 250
/** Nobody answers: a call that is refused costs nothing, and shards and their writers wait for the line. With half of it drawn,
 *  the peers of a bridge that comes back are spread over this time. */
const RECONNECT_MAX_MS = 2_000
/** A bridge that answers and does not want us should not be asked often. */
const REFUSED_MAX_MS = 10_000
/** Two processes with one key would throw each other out without end. */
const REPLACED_DELAY_MS = 30_000
/** Signals held while a line is being opened: a start that dials every host at once. */
const HELD_MAX = 512

export class BridgeSocket {
  private readonly parts: BridgeSocketParts
  private readonly log: Log
  private readonly stopping = new AbortController()
  private readonly signalListeners = new Set<(from: PeerId, session: string, payload: Buffer) => void>()
  private readonly unreachableListeners = new Set<(to: PeerId, session: string) => void>()
  private readonly deleteListeners = new Set<(token: Buffer) => void>()
  private readonly stateListeners = new Set<(state: SocketState) => void>()
  private readonly held: SignalMessage[] = []
  private readonly nap: Nap
  private link: Link | null = null
  private ready = false
  private trouble: AppError | null = null
  private running: Promise<void> | null = null
  private process: ProcessName | undefined

  constructor(parts: BridgeSocketParts) {
    this.parts = parts
    this.log = parts.log ?? silentLog
    this.nap = new Nap(parts.clock)
  }

  /** Returns at once; `state()` and `onState` tell the rest. */
  start(): void {
    this.running ??= this.run()
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    this.link?.close()
    await this.running
  }

  state(): SocketState {
    return this.ready ? { connected: true } : { connected: false, trouble: this.trouble }
  }

  /** A line that waits for its next attempt is dialed at once. */
  hurry(): void {
    if (this.link === null && this.trouble?.code !== 'replaced') this.nap.wake()
  }

  /** Never throws. Held while a line is being opened; without one the listeners of onUnreachable hear it. */
  send(to: PeerId, session: string, payload: Buffer): void {
    const message: SignalMessage = { type: 'signal', to, session, payload: payload.toString('base64') }
    if (message.payload.length > SOCKET_LIMITS.payloadCharsMax) return void this.tellUnreachable(message)
    if (this.ready && this.link?.send(message)) return
    if (!this.ready && this.link && this.held.length < HELD_MAX) {
      this.held.push(message)
      return
    }
    this.tellUnreachable(message)
  }

  /** Answers a delete token. False: the line is down; the bridge asks again. */
  sendDeleted(answer: Omit<DeletedMessage, 'type'>): boolean {
    return this.ready && this.link?.send({ type: 'deleted', ...answer }) === true
  }

  onSignal(listener: (from: PeerId, session: string, payload: Buffer) => void): Unsubscribe {
    return subscribe(this.signalListeners, listener)
  }

  onUnreachable(listener: (to: PeerId, session: string) => void): Unsubscribe {
    return subscribe(this.unreachableListeners, listener)
  }

  /** Encoded delete tokens, unverified. */
  onDelete(listener: (token: Buffer) => void): Unsubscribe {
    return subscribe(this.deleteListeners, listener)
  }

  onState(listener: (state: SocketState) => void): Unsubscribe {
    return subscribe(this.stateListeners, listener)
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping
    let delayMs = RECONNECT_FIRST_MS
    while (!signal.aborted) {
      const wasReady = await this.runOnce()
      // Another process has the place for good.
      if (this.trouble?.code === 'host-moved') return
      if (wasReady) delayMs = RECONNECT_FIRST_MS
      if (!(await this.nap.sleep(this.pauseMs(delayMs), signal))) return
      delayMs = Math.min(REFUSED_MAX_MS, delayMs * 2)
    }
  }

  private pauseMs(delayMs: number): number {
    const code = this.trouble?.code
    if (code === 'replaced') return REPLACED_DELAY_MS
    const most = code === 'bridge-unreachable' ? Math.min(delayMs, RECONNECT_MAX_MS) : delayMs
    return most / 2 + (Math.random() * most) / 2
  }

  /** One line from dialing to its end. Was it ever ready? */
  private async runOnce(): Promise<boolean> {
    let wasReady = false
    const link = openLink(this.linkParts(), {
      onReady: () => {
        wasReady = true
        this.becomeReady(link)
      },
      onMessage: (message) => this.receive(message),
    })
    this.link = link
    if (this.stopping.signal.aborted) link.close()
    const reason = await link.ended
    this.link = null
    this.ready = false
    this.trouble = reason
    for (const message of this.held.splice(0)) this.tellUnreachable(message)
    if (!this.stopping.signal.aborted) this.log.info({ code: reason.code }, 'the line to the bridge ended')
    this.tellState()
    return wasReady
  }

  private becomeReady(link: Link): void {
    if (this.ready) return
    this.ready = true
    this.trouble = null
    for (const message of this.held.splice(0)) if (!link.send(message)) this.tellUnreachable(message)
    this.tellState()
  }

  private receive(message: BridgeMessage): void {
    if (message.type === 'signal') {
      // A relayed signal always names who sent it; one without is not for us to guess.
      if (message.from === undefined || message.to !== this.parts.client.key.id) return
      const from = peerId(message.from)
      const payload = Buffer.from(message.payload, 'base64')
      for (const listener of this.signalListeners) listener(from, message.session, payload)
    } else if (message.type === 'unreachable') {
      for (const listener of this.unreachableListeners) listener(peerId(message.to), message.session)
    } else if (message.type === 'delete') {
      const token = Buffer.from(message.token, 'hex')
      for (const listener of this.deleteListeners) listener(token)
    }
  }

  private tellUnreachable(message: SignalMessage): void {
    queueMicrotask(() => {
      for (const listener of this.unreachableListeners) listener(peerId(message.to), message.session)
    })
  }

  private tellState(): void {
    const state = this.state()
    for (const listener of this.stateListeners) listener(state)
  }

  private linkParts(): LinkParts {
    const { client, clock } = this.parts
    const { url, bridge, key, time } = client
    // In bridge time, which is learnt by then: clocks of two machines may differ.
    if (this.parts.asProcess) this.process ??= processName(time.nowMs(), systemRandom(8))
    return { url, bridge, key, clock, bridgeClock: time, random: systemRandom, process: this.process }
  }
}

function subscribe<T>(listeners: Set<T>, listener: T): Unsubscribe {
  listeners.add(listener)
  return () => {
    listeners.delete(listener)
  }
}
