// A folder for everything that a run of the tests makes, and the end of whatever is still there: processes, mounts, files.
// A test that passes cleans up after itself; one that is killed, or a run that is interrupted, leaves that to this.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

/** Short: paths of unix sockets below it have 107 bytes in all. Other users may look in: some tests run as one. */
export function makeRunFolder() {
  const folder = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'sd-'))
  fs.chmodSync(folder, 0o755)
  return folder
}

/** Ends and removes what belongs to the folder. Answers a line for each process and mount that was still there. */
export function clearRunFolder(folder) {
  const processes = processesOf(folder)
  for (const { pid } of processes) kill(pid)
  const mounts = mountsBelow(folder)
  for (const place of mounts) takeAway(place)
  const networks = networksLeft()
  for (const name of networks) spawnSync('ip', ['netns', 'del', name])
  fs.rmSync(folder, { recursive: true, force: true })
  for (const made of inMemory(folder)) fs.rmSync(made, { recursive: true, force: true })
  return [
    ...processes.map(({ pid, words }) => `process ${pid}: ${words}`),
    ...mounts.map((place) => `mount ${place}`),
    ...networks.map((name) => `network namespace ${name}`),
  ]
}

/** Of NAT labs whose process has ended. */
function networksLeft() {
  const names = fs.existsSync('/run/netns') ? fs.readdirSync('/run/netns') : []
  return names.filter((name) => {
    const owner = /^shardrive-nat-(\d+)-/.exec(name)?.[1]
    return owner !== undefined && !fs.existsSync(`/proc/${owner}`)
  })
}

/** Whoever has the folder in a word of its command or its environment. */
function processesOf(folder) {
  if (!fs.existsSync('/proc/self/environ')) return []
  const found = []
  for (const pid of fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name) && name !== String(process.pid))) {
    const words = read(`/proc/${pid}/cmdline`).split('\0').join(' ').trim()
    const known = `${words} ${read(`/proc/${pid}/environ`)}`
    if (words !== '' && known.includes(folder)) found.push({ pid: Number(pid), words })
  }
  return found
}

/** Folders of test/support's scratchDir. */
function inMemory(folder) {
  const names = fs.existsSync('/dev/shm') ? fs.readdirSync('/dev/shm') : []
  return names.filter((name) => name.startsWith(`${path.basename(folder)}-`)).map((name) => path.join('/dev/shm', name))
}

/** Innermost first. From the kernel's table: a dead mount would hang whoever looks at the place itself. */
function mountsBelow(folder) {
  const places = read('/proc/self/mountinfo')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((place) => place.startsWith(`${folder}/`))
  return places.reverse()
}

function takeAway(place) {
  if (process.geteuid?.() === 0) return spawnSync('umount', ['-l', place])
  const tools = ['fusermount3', 'fusermount']
  return tools.find((tool) => spawnSync(tool, ['-u', '-z', place]).status === 0)
}

function read(file) {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}
