/** The files of one service: what they are to hold, what lies there now, writing and removing them. Nothing of others is touched. */
import { existsSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { AppError, isCode } from '../../base/errors.js'
import { explained, makeFolder, readSmall, writeWhole } from '../../base/folders.js'
import { findProgramFile } from '../../base/program-files.js'
import { type MarkFacts, marked, readMark } from './mark.js'
import { type Order, unitNameOf } from './order.js'
import { logFileOf, placesOf } from './places.js'
import { plistText } from './plist-text.js'
import { sideText, unitText } from './unit-text.js'

export interface ServiceFile {
  file: string
  what: 'unit' | 'user' | 'folder'
  text: string
}

export type Change = 'written' | 'updated' | 'unchanged'

/** Ten times a unit with its comments. */
const FILE_BYTES_MAX = 65_536
/** Managers read them as other users, too; nothing in them is secret. */
const FILE_MODE = 0o644
const FOLDER_MODE = 0o755

/** `version`: of the systemd that reads them; null: any. */
export function filesFor(order: Order, root: string | null, version: number | null): ServiceFile[] {
  const { kind, scope, manager } = order
  const places = placesOf(manager, scope, root)
  const unit = order.forAll ? `shardrive-${kind}${kind === 'mount' ? '@' : ''}.service` : unitNameOf(order)
  const facts: MarkFacts = { kind, scope, unit, dir: order.dir }
  if (manager === 'launchd') {
    const text = plistText(shipped('launchd', `io.shardrive.${kind}.plist`), order, logFileOf(scope, unit))
    return [{ file: path.join(places.units, `${unit}.plist`), what: 'unit', text: marked(text, facts) }]
  }
  const template = shipped('systemd', scope, `shardrive-${kind}${kind === 'mount' ? '@' : ''}.service`)
  const files: ServiceFile[] = [
    { file: path.join(places.units, unit), what: 'unit', text: marked(unitText(template, order, version), facts) },
  ]
  if (scope === 'user' || kind === 'mount') return files
  const side = `${unit.replace('.service', '').replace('@', '-')}.conf`
  const text = (folder: string) => marked(sideText(shipped('systemd', folder, `shardrive-${kind}.conf`), order), facts)
  if (order.runAs === null)
    files.push({ file: path.join(places.sysusers, side), what: 'user', text: text('sysusers.d') })
  files.push({ file: path.join(places.tmpfiles, side), what: 'folder', text: text('tmpfiles.d') })
  return files
}

function shipped(...names: string[]): string {
  const file = findProgramFile(...names)
  if (file === undefined) {
    throw new AppError('service-program', `${names.join('/')} did not come with this program`, {
      hint: 'install shardrive again, whole: its folders systemd and launchd belong to it',
    })
  }
  return readSmall(file, FILE_BYTES_MAX).toString('utf8')
}

/** All or none: refuses with `service-foreign` before anything is written. */
export function writeFiles(files: readonly ServiceFile[]): { file: string; change: Change }[] {
  const changes = files.map(({ file, text }) => ({ file, change: changeOf(file, text) }))
  for (const [at, { file, text }] of files.entries()) {
    if (changes[at]?.change === 'unchanged') continue
    explained(path.dirname(file), () => {
      makeFolder(path.dirname(file), FOLDER_MODE)
      writeWhole(file, text, FILE_MODE)
    })
  }
  return changes
}

function changeOf(file: string, text: string): Change {
  const found = read(file)
  if (found === null) return 'written'
  if (found === text) return 'unchanged'
  expectOurs(file, found)
  return 'updated'
}

function expectOurs(file: string, content: string): MarkFacts {
  const facts = readMark(content)
  if (facts !== null) return facts
  throw new AppError('service-foreign', `${file} was not written by shardrive, or was changed since`, {
    hint: 'keep your changes in a file of their own (systemctl edit UNIT makes one), and remove this file by hand',
  })
}

/** Null when there is none. */
function read(file: string): string | null {
  try {
    return readSmall(file, FILE_BYTES_MAX).toString('utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    if (isCode(error, 'malformed')) return ''
    throw new AppError('state-unreadable', `${file} cannot be read`, { cause: error })
  }
}

/** What the unit says of itself; null when there is none. `service-foreign`. */
export function installedFacts(file: string): MarkFacts | null {
  const content = read(file)
  return content === null ? null : expectOurs(file, content)
}

/** Those that are there, after all of them were found to be ours. */
export function removeFiles(files: readonly string[]): string[] {
  const present = files.filter((file) => existsSync(file))
  for (const file of present) expectOurs(file, read(file) ?? '')
  for (const file of present) explained(path.dirname(file), () => rmSync(file))
  return present
}

/** Every unit in the folder that we wrote; others are passed over. */
export function listInstalled(folder: string): { file: string; facts: MarkFacts }[] {
  const names = existsSync(folder) ? readdirSync(folder) : []
  const ours = names.filter((name) => /^(?:shardrive-.*\.service|io\.shardrive\..*\.plist)$/.test(name)).sort()
  return ours.flatMap((name) => {
    const file = path.join(folder, name)
    const facts = readMark(read(file) ?? '')
    return facts === null ? [] : [{ file, facts }]
  })
}
