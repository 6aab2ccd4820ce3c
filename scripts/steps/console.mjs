// How the scripts speak and run programs. No dependencies: this runs before `npm ci` has.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../', import.meta.url))

/** One line of progress on stderr, so that stdout stays free for `--json`. */
export function say(line) {
  process.stderr.write(`${line}\n`)
}

/** A failure that the reader of the terminal can mend: printed without a stack. */
export class SetupFailure extends Error {
  constructor(what, whatToDo) {
    super(what)
    this.whatToDo = whatToDo
  }
}

export function seconds(sinceMs) {
  return `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`
}

/**
 * Runs a program to its end. Quiet: its output is kept and shown only when it fails.
 * With `heartbeat`, a line every 15 s says that it is still at work. Resolves to what it printed; rejects with SetupFailure on any exit code but 0.
 */
export function run(program, args, { env = process.env, cwd = root, hint = '', heartbeat = '' } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
    const startedMs = performance.now()
    const alive = setInterval(() => heartbeat && say(`${heartbeat}: at work for ${seconds(startedMs)}`), 15_000)
    let printed = ''
    const keep = (chunk) => {
      printed = (printed + chunk).slice(-200_000)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    child.on('error', (error) => {
      clearInterval(alive)
      reject(new SetupFailure(`${program} does not start: ${error.message}`, hint))
    })
    child.on('close', (code, signal) => {
      clearInterval(alive)
      if (code === 0) return resolve(printed)
      const ended = signal ?? `exit code ${code}`
      const tail = printed.trimEnd().split('\n').slice(-40).join('\n')
      reject(new SetupFailure(`${program} ${args.join(' ')} failed (${ended}):\n${tail}`, hint))
    })
  })
}

/** Runs `main`; a SetupFailure becomes two readable lines and exit code 1. */
export async function tell(main) {
  try {
    await main()
  } catch (error) {
    if (!(error instanceof SetupFailure)) throw error
    say(`\nset-up stopped: ${error.message}`)
    if (error.whatToDo) say(`what to do: ${error.whatToDo}`)
    process.exit(1)
  }
}
