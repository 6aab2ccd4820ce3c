/** Commands that wait for long work, mostly a daemon's: what a person sees meanwhile, and Ctrl-C, which ends the waiting. */
import type { AppError } from '../base/errors.js'
import type { ExitCode } from './exit-codes.js'
import type { Progress } from './progress.js'
import { listenForStop } from './stop.js'
import type { Terminal } from './terminal.js'

export interface Waiting<T> {
  /** What is shown meanwhile; ended before anything else is said. */
  readonly watch: { end(): Promise<void> }
  work(signal: AbortSignal): Promise<T>
  /** What is said to who stopped it: what goes on, and what does not. */
  stopped(): AppError
}

/** The work's value, or the exit code of a wait that was stopped. What the work throws passes. */
export async function waitFor<T>(
  terminal: Terminal,
  { watch, work, stopped }: Waiting<T>,
): Promise<{ value: T } | { exitCode: ExitCode }> {
  const stop = listenForStop()
  try {
    const value = await work(stop.signal)
    await watch.end()
    return { value }
  } catch (error) {
    await watch.end()
    if (!stop.signal.aborted) throw error
    return { exitCode: terminal.fail(stopped(), stop.exitCode) }
  } finally {
    stop.release()
  }
}

/** A bar of bytes, begun with the first amount; why it takes long, once for each reason. */
export class WaitWatch {
  protected readonly terminal: Terminal
  private readonly label: string
  private bar: Promise<Progress> | null = null
  private said = ''

  constructor(terminal: Terminal, label: string) {
    this.terminal = terminal
    this.label = label
  }

  trouble(trouble: { message: string } | null | undefined): void {
    if (!trouble || trouble.message === this.said) return
    this.said = trouble.message
    this.terminal.warn(`waiting: ${trouble.message}`)
  }

  amount(done: number, total: number): void {
    if (total === 0) return
    this.bar ??= this.terminal.progress(this.label, total)
    void this.bar.then((bar) => bar.update(done, '', total))
  }

  async end(): Promise<void> {
    if (this.bar !== null) (await this.bar).stop()
  }
}
