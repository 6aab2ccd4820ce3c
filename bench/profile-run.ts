/** One write and one cold read under V8's profiler: the mount daemon and one host. Slower than without it; only shares count. */
import fs from 'node:fs'
import path from 'node:path'
import { BenchDrive, type DriveOptions } from './drive.js'
import { atEnd } from './ending.js'
import { Figures } from './figures.js'
import { readCold, type Sizes, smallFiles, writeAndStore } from './phases.js'
import { threadsOf } from './processes.js'
import { describeProfiles, readProfiles, threadCosts } from './profile.js'

const SEED = 100
const INTERVAL = '--cpu-prof-interval=500'

export async function runProfile(options: DriveOptions, sizes: Sizes): Promise<void> {
  const kept = path.resolve('bench/results', `profile-${new Date().toISOString().replace(/[:.]/g, '-').slice(0, 19)}`)
  const dirOf = (name: string) => path.join(kept, name)
  const flags = (name: string) => ['--cpu-prof', INTERVAL, `--cpu-prof-dir=${dirOf(name)}`]
  const drive = await BenchDrive.start(options)
  atEnd(() => drive.stop())
  const figures = new Figures()
  const threads: string[] = []
  const watch = async (name: string, work: () => Promise<void>) => {
    const daemon = drive.mountPid
    const host = drive.facts.hosts[0]?.pid as number
    const before = [threadsOf(daemon), threadsOf(host)]
    await work()
    // A cold read has mounted anew: all of the new daemon's time counts.
    const now = drive.mountPid
    const costs = threadCosts(now, now === daemon ? (before[0] as ReturnType<typeof threadsOf>) : new Map())
    threads.push(describeThreads(`${name}: threads of the daemon`, costs))
    threads.push(
      describeThreads(`${name}: threads of a host`, threadCosts(host, before[1] as ReturnType<typeof threadsOf>)),
    )
  }
  const host = await drive.restartHost(0, flags('host'))
  await drive.mount(flags('daemon-write'))
  await watch('write', () => writeAndStore(drive, sizes, SEED, figures))
  await drive.unmount()
  drive.nodeFlags = flags('daemon-read')
  await drive.mount([])
  await watch('cold read', () => readCold(drive, sizes, SEED, figures))
  await drive.unmount()
  await drive.mount(flags('daemon-small'))
  await watch('small files', () => smallFiles(drive.mountPoint, 'drive', sizes, SEED, figures))
  await drive.unmount()
  host.kill('SIGTERM')
  await new Promise((resolve) => host.once('exit', resolve))
  const names = fs.readdirSync(kept).filter((name) => fs.statSync(dirOf(name)).isDirectory())
  const text = [...threads, ...names.map((name) => describeProfiles(name, readProfiles(dirOf(name))))].join('\n\n')
  fs.writeFileSync(path.join(kept, 'summary.txt'), `${text}\n`)
  console.log(`${text}\n\n${kept}`)
}

function describeThreads(title: string, costs: readonly [string, number][]): string {
  return [
    `${title} (CPU ms)`,
    ...costs.slice(0, 12).map(([name, ms]) => `  ${ms.toFixed(0).padStart(7)}  ${name}`),
  ].join('\n')
}
