/**
 * A plain UDP socket that looks at the network from where connections will be made: asks STUN servers from one port, and
 * hears knocks (wire/knock.ts) on it. IPv4: that is where NAT is. Everything that arrives is hostile; what is neither an
 * answer to a question of ours nor a knock is passed over.
 */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { Clock } from '../base/clock.js'
import { AppError, isCode } from '../base/errors.js'
import type { RandomBytes } from '../base/random.js'
import { decodeKnock } from '../wire/knock.js'
import {
  type BindingReply,
  decodeBindingReply,
  type Endpoint,
  encodeBindingRequest,
  TRANSACTION_BYTES,
} from './stun.js'

/** Between repeats of a question; RFC 8489 begins with 500 ms and doubles. 3.5 s in all: a path of a second answers twice. */
const REPEAT_MS = [500, 1_000, 2_000]

export class ProbeSocket {
  private readonly socket: Socket
  private readonly clock: Clock
  private readonly random: RandomBytes
  private readonly listeners = new Set<(datagram: Buffer, from: Endpoint) => void>()

  private constructor(socket: Socket, parts: { clock: Clock; random: RandomBytes }) {
    this.socket = socket
    this.clock = parts.clock
    this.random = parts.random
    socket.on('message', (datagram, from) => {
      for (const listener of [...this.listeners]) listener(datagram, from)
    })
    // A network that is down, a port that nobody listens on: no answer.
    socket.on('error', () => undefined)
  }

  /** `listen-failed`: another program has the port. */
  static async open(port: number, parts: { clock: Clock; random: RandomBytes }): Promise<ProbeSocket> {
    const socket = createSocket('udp4')
    try {
      socket.bind(port)
      await once(socket, 'listening')
    } catch (cause) {
      socket.close()
      throw new AppError('listen-failed', `UDP port ${port} is taken or not allowed`, {
        cause,
        hint: 'end the program that has it (ss -ulnp names it), or choose another port in host.json',
      })
    }
    return new ProbeSocket(socket, parts)
  }

  get port(): number {
    return this.socket.address().port
  }

  /** Undefined: no answer in 3.5 s. */
  async ask(server: Endpoint, signal?: AbortSignal): Promise<BindingReply | undefined> {
    const transaction = this.random(TRANSACTION_BYTES)
    const request = encodeBindingRequest(transaction)
    const isTheirs = (from: Endpoint) => from.address === server.address && from.port === server.port
    const answer = this.next((datagram, from) =>
      isTheirs(from) ? readOr(() => decodeBindingReply(datagram, transaction)) : undefined,
    )
    try {
      for (const waitMs of REPEAT_MS) {
        if (signal?.aborted) return undefined
        this.send(request, server)
        const late = this.clock.sleep(waitMs, signal).then(() => undefined)
        const reply = await Promise.race([answer.found, late])
        if (reply !== undefined) return reply
      }
      return undefined
    } finally {
      answer.stop()
    }
  }

  /** True when a knock with this nonce came, from wherever. Listen before it is asked for. */
  knock(nonce: Buffer): { within(timeoutMs: number): Promise<boolean> } {
    const heard = this.next((datagram) =>
      readOr(() => decodeKnock(datagram))?.equals(nonce) === true ? true : undefined,
    )
    return {
      within: async (timeoutMs) => {
        const late = this.clock.sleep(timeoutMs).then(() => false)
        const came = await Promise.race([heard.found, late])
        heard.stop()
        return came
      },
    }
  }

  async close(): Promise<void> {
    const closed = once(this.socket, 'close')
    this.socket.close()
    await closed
  }

  private send(datagram: Buffer, to: Endpoint): void {
    this.socket.send(datagram, to.port, to.address, () => undefined)
  }

  /** The first datagram of which `read` makes something. */
  private next<T>(read: (datagram: Buffer, from: Endpoint) => T | undefined): { found: Promise<T>; stop(): void } {
    let stop = () => {}
    const found = new Promise<T>((resolve) => {
      const listener = (datagram: Buffer, from: Endpoint) => {
        const value = read(datagram, from)
        if (value !== undefined) resolve(value)
      }
      this.listeners.add(listener)
      stop = () => this.listeners.delete(listener)
    })
    return { found, stop: () => stop() }
  }
}

function readOr<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (isCode(error, 'malformed')) return undefined
    throw error
  }
}
