/**
 * The native codec (native/codec.c): seals, encodes, hashes, opens and rebuilds segments off the JavaScript thread.
 *
 * Promises: arguments that do not fit throw an Error with code `ERR_CODEC_ARGUMENT` at once (never a rejection, never a
 * crash); a promise rejects with `ERR_CODEC_FAILED` only when memory or random bytes are short. Keys are read during
 * the call, into locked memory that is wiped when the work ends; the caller may wipe its own at once.
 *
 * Until a promise settles, the buffers given to it must not be changed, transferred or resized: another thread reads
 * them. They are kept alive meanwhile. Results are fresh Buffers, aligned to 64 bytes where they are large; large ones
 * own memory outside of the JavaScript heap and cannot be transferred to another thread without a copy.
 */
import { AppError } from '../base/errors.js'
import { loadAddon } from './load.js'

export type CodePath = 'portable' | 'avx2' | 'gfni256' | 'gfni512'

export interface Capability {
  /** Of the erasure kernels; the two others say which instructions cipher and hash use. */
  path: CodePath
  aes: 'portable' | 'aes-ni'
  sha256: 'portable' | 'sha-ni'
  available: CodePath[]
}

export interface SealedShards {
  /** 32 random bytes, drawn natively: a (key, counter) pair cannot be used twice. */
  id: Buffer
  /** All shards, one behind the other, each shardLength bytes. */
  shards: Buffer
  /** totalShards x 32 bytes. */
  shardIds: Buffer
  /** For each shard the hashes of its 64 KiB subtrees, 32 bytes each. */
  subtrees: Buffer
}

export interface ShardTree {
  id: Buffer
  /** 32 bytes for each 64 KiB. */
  subtrees: Buffer
}

export interface CodecAddon {
  readonly version: number

  /**
   * `plain` (or the bytes of all its parts, in order; at most 2^20 parts) is zero-padded to paddedLength, sealed under
   * the key that term key and fresh id give, striped and encoded. 1 <= plain bytes <= paddedLength <= dataShards x
   * 1,966,080; dataShards <= totalShards <= 255. Plain bytes are not copied first, except where two parts meet.
   */
  sealSegment(
    termKey: Uint8Array,
    plain: Uint8Array | readonly Uint8Array[],
    paddedLength: number,
    dataShards: number,
    totalShards: number,
  ): Promise<SealedShards>

  /** Opens bytes that stand at `offset` of the sealed segment. inPlace: resolves to `sealed` itself, now plain. */
  openRange(
    termKey: Uint8Array,
    id: Uint8Array,
    offset: number,
    sealed: Uint8Array,
    inPlace: boolean,
  ): Promise<Uint8Array>
  /** The same for at most 256 KiB, at once. */
  openRangeSync(termKey: Uint8Array, id: Uint8Array, offset: number, sealed: Uint8Array, inPlace: boolean): Uint8Array

  /**
   * Any units of one row (or whole shards) out of dataShards different others of equal length, at most 1,966,080
   * bytes. presentUnits[i] belongs to shard presentIndexes[i]; the results are in the order of wantedIndexes.
   */
  rebuildUnits(
    dataShards: number,
    totalShards: number,
    presentIndexes: readonly number[],
    presentUnits: readonly Uint8Array[],
    wantedIndexes: readonly number[],
  ): Promise<Buffer[]>

  /** The parity rows of the coding matrix: (totalShards - dataShards) x dataShards bytes. */
  codingMatrix(dataShards: number, totalShards: number): Buffer

  /** Of a whole shard, 1 to 1,966,080 bytes. */
  shardId(shard: Uint8Array): Promise<ShardTree>
  /** 32 bytes for each leaf of at most 64 KiB. */
  leafHashes(block: Uint8Array): Buffer

  /**
   * Whether `data` is what stands from leaf firstLeaf on in the shard of that id and length; `proof` as in
   * src/crypto/merkle.ts. False for data and proofs of any wrong length.
   */
  verifyLeaves(
    shardId: Uint8Array,
    shardLength: number,
    firstLeaf: number,
    data: Uint8Array,
    proof: Uint8Array,
  ): Promise<boolean>
  /** The same for at most 256 KiB, at once. */
  verifyLeavesSync(
    shardId: Uint8Array,
    shardLength: number,
    firstLeaf: number,
    data: Uint8Array,
    proof: Uint8Array,
  ): boolean

  capability(): Capability
  /** For tests and benches; the whole process. Throws for a path that this machine cannot run. */
  setPath(name: CodePath | 'auto'): void

  /** The primitives by themselves, for tests against published vectors. */
  sha256(bytes: Uint8Array): Buffer
  hmacSha256(key: Uint8Array, bytes: Uint8Array): Buffer
  aes256Ctr(key: Uint8Array, firstCounter: Uint8Array, bytes: Uint8Array): Buffer
  /** matrix has rows of units.length coefficients; row r gives the sum of its coefficients times the units. */
  multiply(matrix: Uint8Array, units: readonly Uint8Array[]): Buffer[]
}

const VERSION = 1
let loaded: CodecAddon | undefined

/** Throws `addon-missing`, `addon-broken`, `addon-mismatch`. Cheap after the first call. */
export function codecAddon(): CodecAddon {
  if (loaded === undefined) {
    const addon = loadAddon('codec') as CodecAddon
    if (addon.version !== VERSION) {
      throw new AppError('addon-mismatch', 'the native codec is of another version than this program', {
        hint: 'run: npm run setup',
      })
    }
    loaded = addon
  }
  return loaded
}
