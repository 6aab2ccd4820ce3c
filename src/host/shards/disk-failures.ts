/** What a disk can be expected to do: its errors as AppErrors. */
import { AppError } from '../../base/errors.js'

export function diskFailure(error: unknown): unknown {
  if (error instanceof AppError || !(error instanceof Error)) return error
  const code = (error as NodeJS.ErrnoException).code
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
