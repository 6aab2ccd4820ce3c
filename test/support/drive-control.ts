/** A running drive is asked over its control socket, as its commands do, without a process for each question. */
import fs from 'node:fs'
import path from 'node:path'
import { AppError } from '../../src/base/errors.js'
import { callDaemon } from '../../src/mount/control/client.js'

/** As long as a command may take. */
const ANSWER_MS = 200_000

/** `runtimeDir`: the XDG_RUNTIME_DIR of the drive's daemon. `daemon-not-running` when there is none for this state. */
export function askDrive(
  runtimeDir: string,
  state: string,
  method: 'status' | 'sync' | 'fsck',
  params: object = {},
): Promise<Record<string, unknown>> {
  return callDaemon(socketOf(runtimeDir, state), method, params, { signal: AbortSignal.timeout(ANSWER_MS) })
}

function socketOf(runtimeDir: string, state: string): string {
  const folder = path.join(runtimeDir, 'shardrive', 'drives')
  for (const name of fs.existsSync(folder) ? fs.readdirSync(folder) : []) {
    const drive = JSON.parse(fs.readFileSync(path.join(folder, name), 'utf8')) as { state: string; control: string }
    if (drive.state === path.resolve(state)) return drive.control
  }
  throw new AppError('daemon-not-running', `no drive is mounted from ${state}`)
}
