/**
 * Reed-Solomon over GF(2^8): pure functions of bytes, native behind. The code is systematic: shards below dataShards
 * are the data itself. docs/format.md section 3 has the matrix. Shards that are given must be whole: the code repairs
 * what is missing, it does not find what is wrong (that is what shard ids are for).
 */
import { codecAddon } from '../addon/codec.js'
import { assert } from '../base/assert.js'
import type { Scheme } from '../model/segment.js'

/** A shard, or one unit of it, with the shard's index. */
export interface IndexedBytes {
  index: number
  bytes: Uint8Array
}

/** The parity of dataShards pieces of equal length, 1 to 1,966,080 bytes: totalShards - dataShards Buffers. */
export function encode(scheme: Scheme, data: readonly Uint8Array[]): Promise<Buffer[]> {
  const { dataShards, totalShards } = scheme
  const present = data.map((_, index) => index)
  const wanted = Array.from({ length: totalShards - dataShards }, (_, i) => dataShards + i)
  return codecAddon().rebuildUnits(dataShards, totalShards, present, data, wanted)
}

/**
 * The bytes of the `wanted` shards, in that order, out of dataShards (or more: the first ones count) different others.
 * Whole shards or units of one row alike, all of one length.
 */
export function reconstruct(
  scheme: Scheme,
  present: readonly IndexedBytes[],
  wanted: readonly number[],
): Promise<Buffer[]> {
  const { dataShards, totalShards } = scheme
  assert(present.length >= dataShards, 'a row is rebuilt from as many units as there are data shards')
  const used = present.slice(0, dataShards)
  return codecAddon().rebuildUnits(
    dataShards,
    totalShards,
    used.map((one) => one.index),
    used.map((one) => one.bytes),
    wanted,
  )
}

/** The parity rows, one behind the other, dataShards coefficients each: part of the segment root. */
export function codingMatrix(scheme: Scheme): Buffer {
  return codecAddon().codingMatrix(scheme.dataShards, scheme.totalShards)
}
