/** Questions to a running daemon: one that stands still is told from one that works. */
import { systemClock } from '../base/clock.js'
import { AppError, isCode } from '../base/errors.js'
import { type LinkedSignal, linkSignal } from '../base/linked-signal.js'
import { type CallOptions, callDaemon } from '../mount/control/client.js'
import type { RunningDrive } from './running-drives.js'

/** A daemon that works answers in milliseconds, one that loads a large drive in seconds. */
export const ANSWER_MS = 10_000
/** Between two looks at a daemon that works for long and says nothing. */
const LOOK_MS = 5_000

/** `daemon-silent`, and what callDaemon() throws. */
export async function askDaemon(
  drive: RunningDrive,
  method: string,
  params: object = {},
  { signal, answerMs = ANSWER_MS }: { signal?: AbortSignal; answerMs?: number } = {},
): Promise<Record<string, unknown>> {
  const limit = linkSignal(signal, { ms: answerMs, reason: () => silent(drive, answerMs) })
  try {
    return await callDaemon(drive.control, method, params, { signal: limit.signal })
  } finally {
    limit.release()
  }
}

/**
 * Work that may take as long as it likes: `daemon-silent` only when the daemon does not even say that it lives, beside
 * it. Progress is a sign of life, and so is any answer.
 */
export async function workWithDaemon(
  drive: RunningDrive,
  method: string,
  params: object = {},
  options: CallOptions = {},
  { answerMs = ANSWER_MS, lookMs = LOOK_MS } = {},
): Promise<Record<string, unknown>> {
  const link = linkSignal(options.signal)
  let isHeard = false
  const progress = (value: Record<string, unknown>) => {
    isHeard = true
    options.progress?.(value)
  }
  const look = async () => {
    if (!isHeard) await expectLife(drive, link, answerMs)
    isHeard = false
  }
  void lookAfter(look, lookMs, link.signal)
  try {
    return await callDaemon(drive.control, method, params, { progress, signal: link.signal })
  } finally {
    link.release()
    link.abort(OVER)
  }
}

const OVER = new AppError('stopped', 'the work is over')

async function lookAfter(look: () => Promise<void>, lookMs: number, signal: AbortSignal): Promise<void> {
  do await look()
  while (await systemClock.sleep(lookMs, signal))
}

async function expectLife(drive: RunningDrive, work: LinkedSignal, answerMs: number): Promise<void> {
  try {
    await askDaemon(drive, 'alive', {}, { signal: work.signal, answerMs })
  } catch (error) {
    // Anything else it says of itself, or the work's own call hears it.
    if (isCode(error, 'daemon-silent')) work.abort(error)
  }
}

function silent({ mountPoint, state }: RunningDrive, answerMs: number): AppError {
  const place = mountPoint ?? state
  return new AppError('daemon-silent', `the daemon of ${place} does not answer in ${answerMs / 1_000} s`, {
    retry: 'later',
    hint: `shardrive unmount ${place} --force ends it and takes the mount away; shardrive mount ${place} brings the drive back`,
  })
}
