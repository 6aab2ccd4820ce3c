import { type Logger, pino } from 'pino'

/** JSON lines for machines. Never a key, a phrase or a plaintext name. */
export type Log = Logger

/** Level from SHARDRIVE_LOG (default info). `destination` is a file path, or 2 for stderr. */
export function openLog(name: string, destination: string | number = 2): Log {
  const stream = pino.destination({ dest: destination, sync: false, mkdir: typeof destination === 'string' })
  return pino({ name, level: process.env.SHARDRIVE_LOG ?? 'info', base: { name, pid: process.pid } }, stream)
}

export const silentLog: Log = pino({ level: 'silent' })
