/** Progress of long work: a bar where a person watches, a line every few seconds where a log is written. */
/** Where lines go: stdout or stderr of the process, or a test's. */
export interface Outlet {
  readonly isTTY?: boolean
  write(text: string): unknown
}

export interface Progress {
  /** `done` of the total given at the start, or of a new `total` when the work grew. `note` is a few words. */
  update(done: number, note?: string, total?: number): void
  stop(): void
}

export const silentProgress: Progress = { update: () => undefined, stop: () => undefined }

/** A line at most this often: enough to see that it lives, not enough to fill a log. */
const lineEveryMs = 5_000

export interface Work {
  label: string
  total: number
  /** Writes an amount of it. */
  format: (amount: number) => string
}

export async function openProgress(err: Outlet, work: Work): Promise<Progress> {
  return err.isTTY === true ? await openBar(work) : openLines(err, work)
}

async function openBar({ label, total, format }: Work): Promise<Progress> {
  const { default: cliProgress } = await import('cli-progress')
  const bar = new cliProgress.SingleBar({
    format: `${label} {bar} {percentage}% {amount} {note}`,
    barCompleteChar: '=',
    barIncompleteChar: ' ',
    hideCursor: true,
    clearOnComplete: true,
    fps: 8,
  })
  let whole = total
  bar.start(whole, 0, { amount: amountOf(0, whole, format), note: '' })
  return {
    update(done, note = '', newTotal = whole) {
      if (newTotal !== whole) bar.setTotal(newTotal)
      whole = newTotal
      bar.update(Math.min(done, whole), { amount: amountOf(done, whole, format), note })
    },
    stop: () => bar.stop(),
  }
}

function openLines(err: Outlet, { label, total, format }: Work): Progress {
  let whole = total
  let saidAtMs = performance.now()
  return {
    update(done, note = '', newTotal = whole) {
      whole = newTotal
      if (performance.now() - saidAtMs < lineEveryMs) return
      saidAtMs = performance.now()
      err.write(`${label}: ${amountOf(done, whole, format)} ${note}`.trimEnd().concat('\n'))
    },
    stop: () => undefined,
  }
}

function amountOf(done: number, total: number, format: Work['format']): string {
  return `${format(done)} of ${format(total)}`
}
