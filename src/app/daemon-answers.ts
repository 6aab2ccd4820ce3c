/** Questions to a running daemon that must not take long: one that stands still is told from one that works. */
import { AppError } from '../base/errors.js'
import { callDaemon } from '../mount/control/client.js'
import type { RunningDrive } from './running-drives.js'

/** A daemon that works answers in milliseconds, one that loads a large drive in seconds. */
export const ANSWER_MS = 10_000

/** `daemon-silent`, and what callDaemon() throws. */
export async function askDaemon(drive: RunningDrive, method: string, params: object = {}) {
  const late = AbortSignal.timeout(ANSWER_MS)
  try {
    return await callDaemon(drive.control, method, params, { signal: late })
  } catch (error) {
    if (!late.aborted) throw error
    const place = drive.mountPoint ?? drive.state
    throw new AppError('daemon-silent', `the daemon of ${place} does not answer in ${ANSWER_MS / 1_000} s`, {
      retry: 'later',
      hint: `shardrive unmount ${place} --force ends it and takes the mount away; shardrive mount ${place} brings the drive back`,
    })
  }
}
