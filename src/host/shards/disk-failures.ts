/** What a disk can be expected to do: its errors as AppErrors. */
import { AppError } from '../../base/errors.js'
import { systemCode } from '../../base/system-code.js'

export function diskFailure(error: unknown): unknown {
  if (error instanceof AppError || !(error instanceof Error)) return error
  const code = systemCode(error)
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') {
    return new AppError('no-space', 'the disk is full', {
      retry: 'elsewhere',
      hint: 'free some disk space',
      cause: error,
    })
  }
  if (code === 'EIO' || code === 'EROFS' || code === 'EUCLEAN' || code === 'ENODEV') {
    return new AppError('disk-failing', `the disk reports an error (${code})`, { hint: 'check the disk', cause: error })
  }
  return error
}

/** A place that cannot be read any more: its file is gone, the disk does not give it, or its file system met damage of its own. */
const LOST = new Set(['ENOENT', 'EIO', 'EUCLEAN', 'EBADMSG'])

export function saysLost(error: unknown): boolean {
  return LOST.has(systemCode(error) ?? '')
}
