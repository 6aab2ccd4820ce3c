/** Installing, removing and looking at services: files first, then the manager of this machine, then what is left to do by hand. */
import path from 'node:path'
import { AppError } from '../../base/errors.js'
import { type Change, filesFor, installedFacts, listInstalled, removeFiles, writeFiles } from './files.js'
import { type Kind, type Manager, type Order, type Scope, unitNameOf } from './order.js'
import { placesOf } from './places.js'
import { checkProgram, firstSteps, shellWord } from './readiness.js'
import { runCommand, showUnit, systemctl, systemdRuns, systemdVersion } from './systemd.js'

export interface Outcome {
  unit: string
  /** Where its data is, or will be. */
  dir: string
  files: { file: string; change: Change | 'removed' }[]
  /** Commands that were run here. */
  ran: string[]
  /** Commands that are left. */
  next: string[]
}

/** `service-foreign`, `service-denied`, `service-program`, `service-manager-failed`. */
export async function installService(order: Order, root: string | null): Promise<Outcome> {
  const isHere = root === null
  if (isHere) {
    expectRights(order.scope)
    checkProgram(order)
  }
  const isSystemd = order.manager === 'systemd'
  const runs = isHere && isSystemd && systemdRuns(order.scope)
  const files = filesFor(order, root, runs ? await systemdVersion() : null)
  const changes = writeFiles(files)
  const unit = path.basename(files[0]?.file ?? '')
  const outcome: Outcome = { unit, dir: order.dir, files: changes, ran: [], next: [] }
  if (!isSystemd) return { ...outcome, next: launchdSteps(order, files[0]?.file ?? '') }
  const prepare = files
    .filter(({ what }) => what !== 'unit')
    .map(({ file, what }) => (what === 'user' ? ['systemd-sysusers', file] : ['systemd-tmpfiles', '--create', file]))
  const reload = systemctl(order.scope, 'daemon-reload')
  const enable = systemctl(order.scope, 'enable', unit)
  const start = systemctl(order.scope, 'start', '--no-block', unit)
  if (!runs) {
    const later = isHere ? [...prepare, reload] : [reload]
    const one = unit.replace('@.', '@main.')
    return { ...outcome, next: [...later, systemctl(order.scope, 'enable', '--now', one)].map(shown) }
  }
  for (const words of [...prepare, reload, enable]) await ran(outcome, words)
  // Looked at now: the user exists from here on.
  const first = firstSteps(order)
  if (first.length === 0) await ran(outcome, start)
  const isUpdate = changes[0]?.change === 'updated'
  const follow = first.length > 0 ? [...first, shown(systemctl(order.scope, 'start', unit))] : []
  const restart = isUpdate && first.length === 0 ? [shown(systemctl(order.scope, 'restart', unit))] : []
  const linger = order.scope === 'user' && isHere ? ['loginctl enable-linger   (to go on when you log out)'] : []
  return { ...outcome, next: [...follow, ...restart, ...linger, shown(systemctl(order.scope, 'status', unit))] }
}

/** Its data stays where it is. `no-service`, `service-foreign`, `service-denied`, `service-manager-failed`. */
export async function removeService(
  which: { kind: Kind; scope: Scope; manager: Manager; name: string | null; forAll: boolean },
  root: string | null,
): Promise<Outcome> {
  const { kind, scope, manager } = which
  if (root === null) expectRights(scope)
  const places = placesOf(manager, scope, root)
  const unit = which.forAll ? `shardrive-${kind}${kind === 'mount' ? '@' : ''}.service` : unitNameOf(which)
  const file = path.join(places.units, manager === 'launchd' ? `${unit}.plist` : unit)
  const facts = installedFacts(file)
  if (facts === null) {
    throw new AppError('no-service', `there is no ${file}`, {
      hint: 'shardrive service status lists those that are there',
    })
  }
  const outcome: Outcome = { unit: path.basename(file), dir: facts.dir, files: [], ran: [], next: [] }
  const runs = root === null && manager === 'systemd' && systemdRuns(scope)
  if (runs) await ran(outcome, systemctl(scope, 'disable', '--now', unit))
  const side = `${unit.replace('.service', '').replace('@', '-')}.conf`
  const all = [file, path.join(places.sysusers, side), path.join(places.tmpfiles, side)]
  outcome.files = removeFiles(all).map((one) => ({ file: one, change: 'removed' as const }))
  if (runs) await ran(outcome, systemctl(scope, 'daemon-reload'))
  else if (manager === 'launchd') outcome.next = [`launchctl bootout ${domainOf(scope)}/${unit}`]
  else outcome.next = [shown(systemctl(scope, 'daemon-reload'))]
  return outcome
}

export interface Found {
  unit: string
  kind: Kind
  scope: Scope
  file: string
  dir: string
  /** active, failed ...; null: no manager runs here. */
  state: string | null
  /** Its own words. */
  says: string | null
}

export async function findServices(manager: Manager, root: string | null): Promise<Found[]> {
  const found: Found[] = []
  for (const scope of ['system', 'user'] as const) {
    const asks = root === null && manager === 'systemd' && systemdRuns(scope)
    for (const { file, facts } of listInstalled(placesOf(manager, scope, root).units)) {
      const shownOf = asks ? await showUnit(scope, facts.unit) : new Map<string, string>()
      const { kind, unit, dir } = facts
      const says = shownOf.get('StatusText') || null
      found.push({ unit, kind, scope, file, dir, state: shownOf.get('ActiveState') ?? null, says })
    }
  }
  return found
}

async function ran(outcome: Outcome, words: string[]): Promise<void> {
  await runCommand(words)
  outcome.ran.push(shown(words))
}

function expectRights(scope: Scope): void {
  if (scope === 'user' || process.geteuid?.() === 0) return
  throw new AppError('service-denied', 'a service of the system is installed and removed by root', {
    hint: 'run it with sudo, or with --user for a service of your own',
  })
}

function launchdSteps(order: Order, file: string): string[] {
  return [...firstSteps(order), `launchctl bootstrap ${domainOf(order.scope)} ${shellWord(file)}`]
}

function domainOf(scope: Scope): string {
  return scope === 'system' ? 'system' : `gui/${process.getuid?.() ?? 501}`
}

function shown(words: readonly string[]): string {
  return words.map(shellWord).join(' ')
}
