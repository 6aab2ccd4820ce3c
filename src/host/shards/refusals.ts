/** What the store answers to orders that it does not carry out. */
import { AppError } from '../../base/errors.js'
import type { StoredShard } from '../ledger/types.js'

export function refuseOlder(order: { generation: number }, before: StoredShard | undefined): void {
  if (before && order.generation < before.generation) {
    throw new AppError('old-generation', `the shard is here by generation ${before.generation}`)
  }
}

export function mismatch(why: string): AppError {
  return new AppError('shard-mismatch', why)
}

export function tooYoung(): AppError {
  return new AppError('shard-too-young', 'a shard younger than 72 hours is never thrown away', { retry: 'later' })
}

export function notFound(): AppError {
  return new AppError('shard-not-found', 'the host does not have this shard', { retry: 'elsewhere' })
}
