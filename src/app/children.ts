/**
 * Child processes of `up`: this same program in another mode. A child says when it is ready; it is never restarted, and it ends
 * when we do, also when we are killed (its channel to us closes). Ctrl-C in the terminal does not reach it: we stop children
 * in order.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import path from 'node:path'
import { AppError } from '../base/errors.js'
import { explained, makeFolder } from '../base/folders.js'
import { type ChildMessage, failureOfChild } from './parent.js'

export interface ReadyChild {
  pid: number
  facts: Record<string, unknown>
  /** Resolves with the exit code (null: a signal). */
  ended: Promise<number | null>
  stop(): Promise<void>
}

const READY_MS = 120_000
/** A drive with much to store gets this long to end cleanly, and one on a full disk to wait for room (drive.ts): what a service gets. */
const STOP_MS = 60_000

type Said = (line: string) => void

/** `name` names the log file; `said` is told what the child has for the person who waits. Rejects with its failure, or `child-failed`. */
export async function startChild(
  name: string,
  words: readonly string[],
  logDir: string,
  said: Said = () => {},
): Promise<ReadyChild> {
  explained(logDir, () => makeFolder(logDir))
  const logFile = path.join(logDir, `${name}.log`)
  const log = openSync(logFile, 'a', 0o600)
  const child = spawn(process.execPath, [process.argv[1] as string, ...words], {
    stdio: ['ignore', log, log, 'ipc'],
    detached: true,
  })
  closeSync(log)
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  const facts = await Promise.race([
    readiness(child, { name, logFile, said }),
    ended.then((code) => failEarly(name, code, logFile)),
  ]).catch(async (error: unknown) => {
    // A child that has failed is nobody's to stop later.
    if (child.pid !== undefined) await stopChild(child, ended)
    throw error
  })
  return { pid: child.pid as number, facts, ended, stop: () => stopChild(child, ended) }
}

function readiness(
  child: ChildProcess,
  { name, logFile, said }: { name: string; logFile: string; said: Said },
): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(
        new AppError('child-failed', `${name} was not ready in ${READY_MS / 1000} s`, { hint: `its log: ${logFile}` }),
      )
      child.kill('SIGTERM')
    }, READY_MS)
    child.on('error', (cause) => reject(new AppError('child-failed', `${name} did not start`, { cause })))
    child.on('message', (message: ChildMessage) => {
      if (message.said !== undefined) return said(message.said)
      clearTimeout(timer)
      if (message.ready) return resolve(message.ready)
      reject(failureOfChild(message.failed ?? {}, name, logFile))
    })
    child.once('exit', () => clearTimeout(timer))
  })
}

/** The failure that the child told comes first, if it told one. */
async function failEarly(name: string, code: number | null, logFile: string): Promise<never> {
  await new Promise((resolve) => setTimeout(resolve, 200))
  throw new AppError('child-failed', `${name} ended at its start (${code === null ? 'signal' : `exit ${code}`})`, {
    hint: `its log: ${logFile}`,
  })
}

async function stopChild(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await ended
  clearTimeout(timer)
}
