/** The mark beside the database (`bridge.mark`): which database this folder had last. */
import path from 'node:path'
import { AppError, isCode } from '../../base/errors.js'
import { readSmall, writeWhole } from '../../base/folders.js'
import { Count, Hex16, U32 } from '../../wire/api.js'
import { decodeJson } from '../../wire/check.js'
import { closed, Type } from '../../wire/schema.js'

export interface Mark {
  incarnation: number
  tick: number
  nonce: Buffer
}

const MarkJson = closed({ version: Type.Literal(1), incarnation: U32, tick: Count, nonce: Hex16 })
/** Ten times what it holds. */
const FILE_BYTES_MAX = 2_048

export const MARK_FILE = 'bridge.mark'

/** Null when there is none; 'damaged' when it cannot be read: then nobody can say which database was here. */
export function readMarkFile(dir: string): Mark | 'damaged' | null {
  try {
    const { incarnation, tick, nonce } = decodeJson(
      MarkJson,
      readSmall(path.join(dir, MARK_FILE), FILE_BYTES_MAX),
      MARK_FILE,
    )
    return { incarnation, tick, nonce: Buffer.from(nonce, 'hex') }
  } catch (error) {
    if (isCode(error, 'malformed')) return 'damaged'
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return null
    throw new AppError('state-unreadable', `${path.join(dir, MARK_FILE)} cannot be read`, { cause: error })
  }
}

/** On disk when it returns. */
export function writeMarkFile(dir: string, { incarnation, tick, nonce }: Mark): void {
  const json = { version: 1, incarnation, tick, nonce: nonce.toString('hex') }
  writeWhole(path.join(dir, MARK_FILE), `${JSON.stringify(json)}\n`)
}
