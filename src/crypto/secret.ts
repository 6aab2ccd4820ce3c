/**
 * Secret bytes: keys, seeds, passphrases. They live in libsodium's guarded memory (outside the JavaScript heap, between
 * guard pages, locked against swapping where RLIMIT_MEMLOCK allows it, left out of core dumps) until they are wiped.
 *
 * Promises: nothing prints or serialises the bytes (toString, JSON and inspect say '[secret]'); use after wipe is a
 * broken belief; a wipe during an asynchronous use waits for its end. Guarded memory costs four pages and 20 us each:
 * wipe what is short-lived, keep no thousands. What was wiped is used again: sodium gives memory back only when the event
 * loop turns, and a process may have 65,530 mappings, which 16,000 keys of one turn would use up. What others copy (Node's
 * HMAC, ethers) is outside of these promises.
 */
import sodium from 'sodium-native'
import { assert } from '../base/assert.js'
import type { RandomBytes } from '../base/random.js'

/** Of each size: more are alive at once only where keys of many segments are. */
const SPARE_MAX = 32

const INSPECT = Symbol.for('nodejs.util.inspect.custom')

export class SecretBytes {
  readonly size: number
  #bytes: Buffer | null
  #uses = 0
  #ending = false

  private constructor(size: number) {
    this.size = size
    this.#bytes = spare.get(size)?.pop() ?? sodium.sodium_malloc(size)
  }

  /** `fill` writes every byte of guarded memory; it must not keep the buffer. */
  static make(size: number, fill: (bytes: Buffer) => void): SecretBytes {
    const secret = new SecretBytes(size)
    try {
      fill(secret.#bytes as Buffer)
    } catch (error) {
      secret.wipe()
      throw error
    }
    return secret
  }

  /** Moves the bytes in: the source is zeroed. */
  static take(source: Uint8Array): SecretBytes {
    return SecretBytes.make(source.length, (bytes) => {
      bytes.set(source)
      source.fill(0)
    })
  }

  static random(size: number, random: RandomBytes): SecretBytes {
    return SecretBytes.take(random(size))
  }

  /** The bytes, for the duration of `work` only (until its promise settles). Do not keep or change them. */
  use<T>(work: (bytes: Buffer) => T): T {
    const bytes = this.#bytes
    assert(bytes !== null && !this.#ending, 'secret bytes are used after they were wiped')
    this.#uses++
    let result: T
    try {
      result = work(bytes)
    } catch (error) {
      this.#release()
      throw error
    }
    if (result instanceof Promise) {
      return result.finally(() => this.#release()) as T
    }
    this.#release()
    return result
  }

  /** A second owner of the same bytes. */
  copy(): SecretBytes {
    return this.use((bytes) => SecretBytes.make(this.size, (room) => room.set(bytes)))
  }

  equals(other: SecretBytes): boolean {
    if (other.size !== this.size) return false
    return this.use((mine) => other.use((theirs) => sodium.sodium_memcmp(mine, theirs)))
  }

  /** Zeroes, at once or when the last use ends. Idempotent. */
  wipe(): void {
    this.#ending = true
    if (this.#uses > 0 || this.#bytes === null) return
    giveBack(this.#bytes)
    this.#bytes = null
  }

  get wiped(): boolean {
    return this.#ending
  }

  #release(): void {
    this.#uses--
    if (this.#ending) this.wipe()
  }

  toString(): string {
    return '[secret]'
  }

  toJSON(): string {
    return '[secret]'
  }

  [INSPECT](): string {
    return '[secret]'
  }
}

/** Guarded memory that is zero and nobody's, by its size. */
const spare = new Map<number, Buffer[]>()

function giveBack(bytes: Buffer): void {
  sodium.sodium_memzero(bytes)
  const same = spare.get(bytes.length) ?? []
  if (same.length >= SPARE_MAX) freeGuarded(bytes)
  else spare.set(bytes.length, same.concat([bytes]))
}

/** Missing in the published types of sodium-native. */
const { sodium_free: freeGuarded } = sodium as unknown as { sodium_free(bytes: Buffer): void }

/** Runs `work`, then wipes the secrets whatever happened. */
export function wipeAfter<T>(secrets: readonly SecretBytes[], work: () => T): T {
  const wipeAll = () => {
    for (const secret of secrets) secret.wipe()
  }
  let result: T
  try {
    result = work()
  } catch (error) {
    wipeAll()
    throw error
  }
  if (result instanceof Promise) return result.finally(wipeAll) as T
  wipeAll()
  return result
}
