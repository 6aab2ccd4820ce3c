/**
 * A unit for one order: the file of systemd/ with the few lines changed that differ from machine to machine. So what is installed is
 * what was reviewed and tested, with its comments. Values are quoted and escaped here: `%` and `$` mean something to systemd.
 */
import path from 'node:path'
import { assert } from '../../base/assert.js'
import { escapeUnitName, type Order, wordsOf } from './order.js'

/** The first systemd that knows RestartSteps= and RestartMaxDelaySec=. */
export const STEPS_VERSION = 254
const TEMPLATE_PROGRAM = '/usr/bin/shardrive'
const STATE_ROOT = '/var/lib/'
/** What ProtectHome=yes hides. */
const HOMES = /^\/(?:home|root|run\/user)(?:\/|$)/

/** `template`: the unit of this kind and scope. `version`: of the systemd that will read it; null: any. */
export function unitText(template: string, order: Order, version: number | null): string {
  const unit = new UnitFile(template)
  const program = order.program.map(word).join(' ')
  if (order.forAll)
    unit.set(
      'ExecStart',
      unit.get('ExecStart').replace(TEMPLATE_PROGRAM, () => program),
    )
  else editPlaces(unit, order, program)
  if (version !== null && version < STEPS_VERSION) {
    unit.drop('RestartSteps')
    unit.drop('RestartMaxDelaySec')
  }
  return unit.text
}

function editPlaces(unit: UnitFile, order: Order, program: string): void {
  unit.set('ExecStart', [program, ...wordsOf(order).map(word)].join(' '))
  if (order.kind === 'mount') editMount(unit, order)
  else editFolder(unit, order)
}

function editFolder(unit: UnitFile, order: Order): void {
  const { kind, dir, name, scope } = order
  if (name !== null) unit.set('Description', `${unit.get('Description')} (${plain(name)})`)
  if (kind === 'host') unit.set('ConditionPathExists', plain(path.join(dir, 'host.json')))
  if (scope === 'user') return
  unit.set('RequiresMountsFor', item(dir))
  if (order.runAs !== null) {
    unit.set('User', order.runAs)
    unit.drop('Group')
  }
  setStateDirectory(unit, dir, `ReadWritePaths=${item(dir)}`)
  if ([dir, ...order.program].some((place) => HOMES.test(place))) unit.set('ProtectHome', 'read-only')
}

function editMount(unit: UnitFile, { dir, name, mountPoint, scope }: Order): void {
  assert(mountPoint !== null, 'a mount has a place')
  unit.set('Description', `Shardrive drive ${plain(name ?? 'main')}`)
  unit.set('ExecStartPre', `-/usr/bin/mkdir -p ${word(mountPoint)}`)
  if (scope === 'user') return
  unit.set('RequiresMountsFor', `${item(dir)} ${item(path.dirname(mountPoint))}`)
  // Elsewhere the program makes it, as root.
  setStateDirectory(unit, dir, null)
}

function setStateDirectory(unit: UnitFile, dir: string, otherwise: string | null): void {
  const below = dir.startsWith(STATE_ROOT) ? dir.slice(STATE_ROOT.length) : ''
  if (below !== '') {
    unit.set('StateDirectory', item(below))
    return
  }
  unit.drop('StateDirectoryMode')
  if (otherwise === null) unit.drop('StateDirectory')
  else unit.replace('StateDirectory', otherwise)
}

/** For tests of a template's lines: the values of a key, in order. */
export function valuesOf(text: string, key: string): string[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${key}=`))
    .map((line) => line.slice(key.length + 1))
}

class UnitFile {
  text: string

  constructor(text: string) {
    this.text = text
  }

  get(key: string): string {
    const values = valuesOf(this.text, key)
    assert(values.length === 1, `the unit has one ${key}=`)
    return values[0] as string
  }

  set(key: string, value: string): void {
    this.replace(key, `${key}=${value}`)
  }

  replace(key: string, line: string): void {
    const old = `${key}=${this.get(key)}`
    this.text = this.text
      .split('\n')
      .map((one) => (one === old ? line : one))
      .join('\n')
  }

  drop(key: string): void {
    this.get(key)
    this.text = this.text
      .split('\n')
      .filter((one) => !one.startsWith(`${key}=`))
      .join('\n')
  }
}

/** `%` begins a specifier. */
function plain(text: string): string {
  return text.replaceAll('%', '%%')
}

/** In a list of paths. */
function item(text: string): string {
  return quoted(plain(text))
}

/** In a command line, where `$` begins a variable. */
function word(text: string): string {
  return quoted(plain(text).replaceAll('$', '$$$$'))
}

function quoted(text: string): string {
  if (/^[A-Za-z0-9_@%:=,.+/$-]+$/.test(text)) return text
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}

/** A line of sysusers.d or tmpfiles.d for this order's folder and user. */
export function sideText(template: string, order: Order): string {
  const usual = `${STATE_ROOT}shardrive-${order.kind}`
  const user = `shardrive-${order.kind}`
  return template
    .split('\n')
    .map((line) => {
      if (line.startsWith('u ')) return line
      if (!line.startsWith('d ')) return line.replace(`${user}.service`, unitOf(order))
      return order.runAs === null
        ? line.replace(usual, item(order.dir))
        : `d ${item(order.dir)} 0700 ${order.runAs} - -`
    })
    .join('\n')
}

function unitOf({ kind, name }: Order): string {
  return name === null ? `shardrive-${kind}.service` : `shardrive-${kind}@${escapeUnitName(name)}.service`
}
