// Programs of the system that set-up needs. As root on Debian they are installed; anybody else is told what to install.
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { run, SetupFailure, say, seconds } from './console.mjs'

/** Each need: any one of its programs will do, or its library; the Debian package that brings it. */
const needs = {
  mount: [{ programs: ['fusermount3', 'fusermount'], package: 'fuse3', linuxOnly: true }],
  build: [
    { programs: ['g++', 'c++'], package: 'g++' },
    { programs: ['make'], package: 'make' },
    { programs: ['python3'], package: 'python3' },
  ],
  // Real programs that the tests run on a mounted drive.
  tests: [
    { programs: ['git'], package: 'git' },
    { programs: ['rsync'], package: 'rsync' },
    { programs: ['sqlite3'], package: 'sqlite3' },
    { programs: ['setfattr'], package: 'attr', linuxOnly: true },
    { programs: ['ps'], package: 'procps', linuxOnly: true },
    // Receives what services tell their manager: Node has no datagram sockets of this kind.
    { programs: ['python3'], package: 'python3' },
    // Checks the units, and runs them in a system of their own. Nothing of it starts by itself.
    { programs: ['systemd-analyze'], package: 'systemd', linuxOnly: true },
  ],
  // For the portable door and its tests. Without it that door says so, and they are skipped.
  portable: [{ library: 'libfuse.so.2', package: 'libfuse2', linuxOnly: true }],
  // For test/nat. Without them it says so and is skipped.
  lab: [
    { programs: ['ip'], package: 'iproute2', linuxOnly: true },
    { programs: ['nft'], package: 'nftables', linuxOnly: true },
    { programs: ['turnserver'], package: 'coturn', linuxOnly: true },
    { programs: ['openssl'], package: 'openssl', linuxOnly: true },
  ],
}

/** As ensurePrograms, for what can be done without: says what is missing and goes on. */
export async function offerPrograms(groups, known = needs) {
  if (process.platform !== 'linux') return
  try {
    await ensurePrograms(groups, known)
  } catch (error) {
    if (!(error instanceof SetupFailure)) throw error
    say(`packages: ${error.message}: the tests that need them are skipped`)
  }
}

/** Makes sure that the programs of the named groups exist. A program that is there is never replaced by another. */
export async function ensurePrograms(groups, known = needs) {
  const missing = groups.flatMap((group) => known[group]).filter(isMissing)
  if (missing.length === 0) return
  const packages = missing.map((need) => need.package)
  const names = missing.map(nameOf).join(', ')
  if (process.platform !== 'linux') {
    throw new SetupFailure(`missing: ${names}`, 'install the command line tools: xcode-select --install')
  }
  const byHand = `as root: apt-get install ${packages.join(' ')}   (or your distribution's packages of these names)`
  if (process.getuid() !== 0 || !onPath('apt-get')) throw new SetupFailure(`missing: ${names}`, byHand)
  await aptInstall(packages, byHand)
  const still = missing.filter(isMissing).map(nameOf)
  if (still.length > 0) throw new SetupFailure(`still missing after installation: ${still.join(', ')}`, byHand)
}

async function aptInstall(packages, hint) {
  const startedMs = performance.now()
  say(`packages: installing ${packages.join(' ')} (apt-get)`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const args = ['install', '-y', '--no-install-recommends', ...packages]
  try {
    await run('apt-get', args, { env, hint })
  } catch {
    // A fresh machine has no package lists, an old one has stale ones.
    await run('apt-get', ['update'], { env, hint, heartbeat: 'packages: apt-get update' })
    await run('apt-get', args, { env, hint, heartbeat: 'packages: apt-get install' })
  }
  say(`packages: installed in ${seconds(startedMs)}`)
}

function isMissing(need) {
  if (need.linuxOnly && process.platform !== 'linux') return false
  return need.library === undefined ? !need.programs.some(onPath) : !isLoadable(need.library)
}

function nameOf(need) {
  return need.library ?? need.programs.join(' or ')
}

/** The loader knows it. */
function isLoadable(library) {
  const folders = ['/sbin', '/usr/sbin', '/bin', '/usr/bin']
  const ldconfig = folders.map((folder) => path.join(folder, 'ldconfig')).find((file) => fs.existsSync(file))
  return ldconfig !== undefined && execFileSync(ldconfig, ['-p'], { encoding: 'utf8' }).includes(library)
}

/** An ordinary user's PATH often lacks the sbin folders, where some of these live. */
function onPath(program) {
  const folders = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/sbin', '/sbin', '/usr/bin', '/bin']
  return folders.some((folder) => folder !== '' && fs.existsSync(path.join(folder, program)))
}
