/** The end of a drive on a full disk: the last second of changes is in memory only, and is not given up while there is hope for room. */
import type { Clock } from '../base/clock.js'
import { AppError, isCode } from '../base/errors.js'
import type { Log } from '../base/log.js'

/** As long as a service may take to stop, less what else that takes. */
export const ROOM_PATIENCE_MS = 40_000
const ROOM_RETRY_MS = 500

/** Calls stop() again until there is room; `no-space` when there was none in time, and what else stop() throws. */
export async function stopWithRoom(
  drive: { stop(): Promise<void> },
  { clock, log }: { clock: Clock; log: Log },
): Promise<void> {
  const untilMs = clock.monotonicMs() + ROOM_PATIENCE_MS
  for (let isFirst = true; ; isFirst = false) {
    try {
      await drive.stop()
      return
    } catch (error) {
      if (!isCode(error, 'no-space')) throw error
      if (clock.monotonicMs() >= untilMs) throw givenUp(error)
      if (isFirst) {
        const what = 'the disk is full: the last changes are only in memory, and the drive ends when there is room'
        log.error({ err: error }, what)
      }
      await clock.sleep(ROOM_RETRY_MS)
    }
  }
}

function givenUp(cause: unknown): AppError {
  return new AppError('no-space', 'the disk stayed full: the last changes, which were only in memory, are lost', {
    cause,
    hint: 'free some disk space and mount again: what was synced is there',
  })
}
