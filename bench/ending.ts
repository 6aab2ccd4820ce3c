/** What a run has started is ended, and what it mounted is taken away, however it ends (but for SIGKILL). */
const steps: (() => unknown)[] = []

/** Undone last to first. */
export function atEnd(step: () => unknown): void {
  steps.push(step)
}

export async function endAll(): Promise<void> {
  for (const step of steps.splice(0).reverse()) {
    try {
      await step()
    } catch (error) {
      console.error('  not undone:', error)
    }
  }
}

/** The run; its failure is the program's. */
export async function runToEnd(work: () => Promise<void>): Promise<void> {
  const stopped = new Promise<never>((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => reject(new Error(`stopped by ${signal}`)))
    }
    process.once('uncaughtException', reject)
  })
  try {
    await Promise.race([work(), stopped])
    await endAll()
  } catch (error) {
    console.error(error)
    await endAll()
    process.exit(1)
  }
}
