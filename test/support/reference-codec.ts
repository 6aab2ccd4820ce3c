/**
 * The codec again, in the plainest TypeScript, to hold the native one against: field, coding matrix, shard tree,
 * proofs, striping. Slow, and written from docs/format.md, not from the native code.
 */
import { createCipheriv, createHash, createHmac } from 'node:crypto'

export function gfMultiply(a: number, b: number): number {
  let product = 0
  for (let bit = 0; bit < 8; bit++) {
    if ((b >> bit) & 1) product ^= a << bit
  }
  for (let bit = 15; bit >= 8; bit--) {
    if ((product >> bit) & 1) product ^= 0x11d << (bit - 8)
  }
  return product
}

export function gfInverse(a: number): number {
  for (let b = 1; b < 256; b++) if (gfMultiply(a, b) === 1) return b
  throw new Error('0 has no inverse')
}

/** Row i of the whole matrix, identity rows included. */
export function codingRow(k: number, i: number): number[] {
  return Array.from({ length: k }, (_, j) => {
    if (i < k) return i === j ? 1 : 0
    return gfInverse(k === 1 ? i + 1 : i ^ j)
  })
}

const timesTables = new Map<number, Uint8Array>()

function times(factor: number): Uint8Array {
  const known = timesTables.get(factor)
  if (known) return known
  const table = Uint8Array.from({ length: 256 }, (_, x) => gfMultiply(factor, x))
  timesTables.set(factor, table)
  return table
}

/** One output unit: the sum of row[j] * units[j]. */
export function combine(row: readonly number[], units: readonly Uint8Array[]): Buffer {
  const out = Buffer.alloc((units[0] as Uint8Array).length)
  row.forEach((factor, j) => {
    const table = times(factor)
    const unit = units[j] as Uint8Array
    for (let i = 0; i < out.length; i++) out[i]! ^= table[unit[i] as number] as number
  })
  return out
}

function sha256(...parts: Uint8Array[]): Buffer {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/** All levels of a tree, leaves first. */
export function treeLevels(data: Uint8Array): Buffer[][] {
  let level: Buffer[] = []
  for (let at = 0; at < data.length; at += 1024) level.push(sha256(Buffer.from([0]), data.subarray(at, at + 1024)))
  const levels = [level]
  while (level.length > 1) {
    const above: Buffer[] = []
    for (let i = 0; i < level.length; i += 2) {
      const [left, right] = [level[i] as Buffer, level[i + 1]]
      above.push(right === undefined ? left : sha256(Buffer.from([1]), left, right))
    }
    levels.push(above)
    level = above
  }
  return levels
}

export function referenceShardId(data: Uint8Array): Buffer {
  const header = Buffer.from([2, 1, 0, 0, 0, 0])
  header.writeUInt32BE(data.length, 2)
  return sha256(header, treeLevels(data).at(-1)?.[0] as Buffer)
}

export function referenceSubtrees(data: Uint8Array): Buffer {
  const roots: Buffer[] = []
  for (let at = 0; at < data.length; at += 65536) {
    roots.push(treeLevels(data.subarray(at, at + 65536)).at(-1)?.[0] as Buffer)
  }
  return Buffer.concat(roots)
}

/** Worked out from sets of known nodes: a verifier lacks the unknown siblings of what it knows. */
export function referenceProof(data: Uint8Array, firstLeaf: number, leafCount: number): Buffer {
  const levels = treeLevels(data)
  let known = new Set(Array.from({ length: leafCount }, (_, i) => firstLeaf + i))
  const proof: Buffer[] = []
  for (const level of levels.slice(0, -1)) {
    const siblings = [...known].map((i) => i ^ 1).filter((i) => i < level.length && !known.has(i))
    for (const i of siblings.sort((x, y) => x - y)) proof.push(level[i] as Buffer)
    known = new Set([...known].map((i) => i >> 1))
  }
  return Buffer.concat(proof)
}

/** The sealed bytes of a padded segment. */
export function referenceSeal(termKey: Uint8Array, id: Uint8Array, plain: Uint8Array, paddedLength: number): Buffer {
  const key = createHmac('sha256', termKey).update('shardrive/v1/segment').update(id).digest()
  const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16))
  return Buffer.concat([cipher.update(plain), cipher.update(Buffer.alloc(paddedLength - plain.length))])
}

/** All n shards of sealed bytes. */
export function referenceShards(sealed: Uint8Array, k: number, n: number): Buffer[] {
  const unit = 65536
  const parts: Buffer[][] = Array.from({ length: n }, () => [])
  for (let at = 0; at < sealed.length; at += k * unit) {
    const row = sealed.subarray(at, at + k * unit)
    const length = row.length === k * unit ? unit : Math.ceil(Math.ceil(row.length / k) / 1024) * 1024
    const units = Array.from({ length: k }, (_, j) => {
      const filled = Buffer.alloc(length)
      filled.set(row.subarray(j * length, (j + 1) * length))
      return filled
    })
    for (let i = 0; i < n; i++) parts[i]?.push(i < k ? (units[i] as Buffer) : combine(codingRow(k, i), units))
  }
  return parts.map((units) => Buffer.concat(units))
}
