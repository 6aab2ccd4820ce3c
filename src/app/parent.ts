/**
 * Being a child of `shardrive up`: the channel that Node opens between parent and child says when the parent has gone, also
 * when it was killed; what we have to say (ready, a failure) goes the other way. Without a parent nothing of this happens.
 */
import { AppError } from '../base/errors.js'
import type { ErrorReport } from './terminal.js'

/** Calls `onGone` once when the parent process ends. */
export function followParent(onGone: () => void): void {
  // A daemon in the background outlives the command that started it.
  if (process.send === undefined || process.env.SHARDRIVE_BACKGROUND === '1') return
  process.once('disconnect', onGone)
}

export function tellParent(message: { ready: object } | { failed: ErrorReport } | { said: string }): void {
  if (process.send === undefined || !process.connected) return
  process.send(message, undefined, undefined, () => undefined)
}

/** What a child says on the channel. */
export interface ChildMessage {
  /** A line for the person who waits. */
  said?: string
  ready?: Record<string, unknown>
  failed?: Partial<ErrorReport>
}

/** The child's failure as our own. `name` goes before its words; `logFile` is where it says more. */
export function failureOfChild(failed: Partial<ErrorReport>, name: string, logFile: string): AppError {
  const { code = 'bug', message = 'it failed', hint, why, retry } = failed
  return new AppError(code, name === '' ? message : `${name}: ${message}`, {
    hint: hint ?? `its log: ${logFile}`,
    ...(why === undefined ? {} : { cause: new Error(why) }),
    ...(retry === undefined ? {} : { retry }),
  })
}

/** The channel keeps a process alive; without it we end as soon as nothing else is open. */
export function leaveParent(): void {
  if (process.send !== undefined && process.connected) process.disconnect()
}
