/** What the kernel counts of a process: CPU time, of all its threads too, and the most memory it had. Linux only. */
import fs from 'node:fs'

/** USER_HZ: 100 on every architecture that Node runs on. */
const MS_PER_TICK = 10

export interface Cpu {
  userMs: number
  systemMs: number
}

/** Zero for a process that has ended. */
export function cpuOf(pid: number): Cpu {
  return statOf(`/proc/${pid}/stat`)?.cpu ?? { userMs: 0, systemMs: 0 }
}

export function totalMs({ userMs, systemMs }: Cpu): number {
  return userMs + systemMs
}

/** CPU ms of each thread, by its id. */
export function threadsOf(pid: number): Map<number, { name: string; cpuMs: number }> {
  const threads = new Map<number, { name: string; cpuMs: number }>()
  for (const id of fs.readdirSync(`/proc/${pid}/task`)) {
    const stat = statOf(`/proc/${pid}/task/${id}/stat`)
    if (stat !== null) threads.set(Number(id), { name: stat.name, cpuMs: totalMs(stat.cpu) })
  }
  return threads
}

function statOf(file: string): { name: string; cpu: Cpu } | null {
  let text: string
  try {
    text = fs.readFileSync(file, 'utf8')
  } catch {
    return null
  }
  const name = text.slice(text.indexOf('(') + 1, text.lastIndexOf(')'))
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { name, cpu: { userMs: Number(fields[11]) * MS_PER_TICK, systemMs: Number(fields[12]) * MS_PER_TICK } }
}

/** The most memory since `forgetPeak`, in bytes. */
export function peakBytes(pid: number): number {
  try {
    const found = /VmHWM:\s+(\d+) kB/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))
    return Number(found?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}

export function forgetPeak(pid: number): void {
  try {
    fs.writeFileSync(`/proc/${pid}/clear_refs`, '5')
  } catch {
    // Ended, or not ours: the peak is then that of its whole life.
  }
}

/** CPU time of the whole machine that was not idle. */
export function machineBusyMs(): number {
  const [first = ''] = fs.readFileSync('/proc/stat', 'utf8').split('\n', 1)
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = first.split(/\s+/).slice(1).map(Number)
  return (user + nice + system + irq + softirq) * MS_PER_TICK
}
