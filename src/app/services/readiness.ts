/** What stands between a service that is installed and one that serves: things a person has to do, as commands. */
import { execFileSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import path from 'node:path'
import { AppError } from '../../base/errors.js'
import type { Order } from './order.js'

const OTHERS_READ = 0o004
const OTHERS_ENTER = 0o001
const ID_MS = 10_000

/** The user that the service will have; null: root, or whoever installs it. */
export function userOf({ kind, scope, manager, runAs }: Order): string | null {
  if (scope === 'user') return null
  if (runAs !== null) return runAs
  return kind === 'mount' || manager === 'launchd' ? null : `shardrive-${kind}`
}

/** Commands that come before a start; none when it can be started at once. */
export function firstSteps(order: Order): string[] {
  const { kind, name } = order
  const user = userOf(order)
  const dir = shellWord(order.dir)
  const program = order.program.map(shellWord).join(' ')
  const asUser = user === null ? '' : order.manager === 'systemd' ? `runuser -u ${user} -- ` : `sudo -u ${user} `
  const has = (file: string) => existsSync(path.join(order.dir, file))
  if (kind === 'host' && !has('host.json'))
    return [`${asUser}${program} host init --dir ${dir} --bridge https://BRIDGE --space 500GiB`]
  if (kind === 'mount' && !has('drive.json'))
    return [`${program} init --bridge https://BRIDGE --drive ${shellWord(name ?? 'main')} --state ${dir}`]
  return user === null || isOwnedBy(order.dir, user) ? [] : [`chown -R ${user}: ${dir}`]
}

/** What does not exist yet will be made with the right owner. */
function isOwnedBy(dir: string, user: string): boolean {
  const key = ['host.key', 'bridge.key'].map((name) => path.join(dir, name)).find((file) => existsSync(file))
  if (key === undefined) return true
  try {
    const id = execFileSync('id', ['-u', '--', user], { encoding: 'utf8', timeout: ID_MS, stdio: 'pipe' })
    return statSync(key).uid === Number(id)
  } catch {
    return false
  }
}

/** For a service with a user of its own: `service-program` when that user could not start the program. */
export function checkProgram(order: Order): void {
  const user = userOf(order)
  const missing = order.program.find((file) => !existsSync(file))
  if (missing !== undefined) throw unfit(`${missing} does not exist`)
  if (user === null) return
  const closed = order.program.map(closedPart).find((part) => part !== null)
  if (closed) throw unfit(`the user ${user} cannot get at the program: ${closed} is closed to others`)
}

/** The first part of the path that others may not enter or read. */
function closedPart(file: string): string | null {
  if ((statSync(file).mode & OTHERS_READ) === 0) return file
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    if ((statSync(folder).mode & OTHERS_ENTER) === 0) return folder
    if (folder === path.dirname(folder)) return null
  }
}

function unfit(message: string): AppError {
  return new AppError('service-program', message, {
    hint: 'install shardrive and Node where everybody may read them, as in /opt, or name the program with --program',
  })
}

/** For commands that are shown to be typed. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
