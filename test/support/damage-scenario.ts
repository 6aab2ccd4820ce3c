/** A drive with files on hosts and changes that are only here, whose ledger is damaged in many ways, each on a copy of its folder. */
import fs from 'node:fs'
import path from 'node:path'
import type { Test } from 'tap'
import type { Drive } from '../../src/app/drive.js'
import { isCode } from '../../src/base/errors.js'
import type { FileId } from '../../src/model/ids.js'
import { ROOT_INO } from '../../src/mount/metadata/inodes.js'
import type { BoxDevice } from './box-device.js'
import type { Dice } from './dice.js'
import { DriveNet } from './drive-net.js'
import { COUNT_OF_ANOTHER, type Damage } from './ledger-damage.js'
import { rampBytes } from './ramp.js'

export interface DamagedDrive {
  net: DriveNet
  device: BoxDevice
  /** What is on hosts. */
  stored: Map<string, Buffer | null>
  /** What the drive shows, with what is only here. */
  whole: Map<string, Buffer | null>
  /** A folder that is stored, and a file that is only here. */
  pinned: FileId[]
  /** Of a drive that was unmounted, and of one that was killed. */
  closed: string
  killed: string
}

const SMALL = 40

/** Ends as a drive that nobody runs. */
export async function damagedDrive(t: Test, files = SMALL): Promise<DamagedDrive> {
  const net = await DriveNet.start(t, { standing: true })
  const device = await net.newAccount()
  await device.open()
  const { hand } = device
  await hand.makeFolder('folder')
  for (let n = 0; n < files; n++) await hand.write(`folder/file ${n}`, rampBytes(n, 500 + n * 331))
  await hand.write('large', rampBytes(1_000, 2_500_000))
  await hand.write('doomed', rampBytes(1_001, 5_000))
  await hand.symlink('link', Buffer.from('folder/file 3'))
  await device.sync()
  const stored = await hand.tree()
  await hand.write('new', rampBytes(2_000, 700_000))
  await hand.write('folder/file 5', rampBytes(2_001, 9_000))
  await hand.setXattr('large', Buffer.from('user.colour'), Buffer.from('blue'))
  await hand.rename('folder/file 7', 'folder/moved')
  await hand.remove('doomed')
  await hand.makeFolder('folder/inner')
  for (let n = 0; n < files; n++) await hand.write(`folder/inner/late ${n}`, rampBytes(3_000 + n, 300 + n * 100))
  const whole = await hand.tree()
  for (const name of ['folder', 'new']) await device.drive?.pins.pin(await rootEntry(device, name))
  const pinned = await pinnedFiles(device)
  await device.drive?.storage.ledger.sync()
  const killed = path.join(net.dir, 'killed')
  fs.cpSync(device.dir, killed, { recursive: true, filter: (from) => !from.endsWith('.sock') })
  await device.drop()
  const closed = path.join(net.dir, 'closed')
  fs.cpSync(device.dir, closed, { recursive: true })
  return { net, device, stored, whole, pinned, closed, killed }
}

async function rootEntry(device: BoxDevice, name: string): Promise<number> {
  const { storage } = device.drive as Drive
  return (await storage.ledger.lookup(ROOT_INO, Buffer.from(name)))?.ino as number
}

export async function pinnedFiles(device: BoxDevice): Promise<FileId[]> {
  const { ledger } = (device.drive as Drive).storage
  return Promise.all((await ledger.pins()).map(async (ino) => (await ledger.attributes(ino)).file))
}

/** The device's folder is this one now. */
export function putBack(device: BoxDevice, from: string): void {
  fs.rmSync(device.dir, { recursive: true, force: true })
  fs.cpSync(from, device.dir, { recursive: true })
}

export function sameTree(a: Map<string, Buffer | null>, b: Map<string, Buffer | null>): string[] {
  const names = [...new Set([...a.keys(), ...b.keys()])].sort()
  return names.filter((name) => {
    const [one, other] = [a.get(name), b.get(name)]
    return !(one === other || (one && other && one.equals(other)))
  })
}

/** On a copy of the drive's folder: damaged, opened, looked at, closed. What is wrong then. */
export async function healAfter(
  drive: DamagedDrive,
  from: string,
  [name, inject]: Damage,
  dice: Dice,
): Promise<string[]> {
  const { device, closed } = drive
  putBack(device, from)
  inject(device.dir, dice)
  device.said.length = 0
  await device.open({ readOnly: true })
  const found = await device.hand.tree().catch(async (error: unknown) => {
    // Met in use: the next start heals.
    if (!isCode(error, 'database-damaged')) throw error
    await device.drive?.close()
    await device.open({ readOnly: true })
    return device.hand.tree()
  })
  const wrong = wrongs(found, drive, device.said)
  wrong.push(...wrongPins(await pinnedFiles(device), drive, device.said))
  const isWhole = name === COUNT_OF_ANOTHER[0] || (from === closed && /magic|first page is zeros/.test(name))
  if (isWhole) wrong.push(...sameTree(found, drive.whole))
  await device.drop()
  return wrong
}

/** What no damage may do: show what never was, or less than it could without a word. Empty: all is well. */
export function wrongs(
  found: Map<string, Buffer | null>,
  { stored, whole }: Pick<DamagedDrive, 'stored' | 'whole'>,
  said: readonly string[],
): string[] {
  const wrong: string[] = []
  for (const [name, bytes] of found) {
    const was = / \((damaged|stored)( \d+)?\)$/.exec(name)
    if (was?.[1] === 'damaged') wrong.push(...madeUp(name, bytes, whole.get(name.slice(0, was.index)) ?? null))
    else if (was === null && !isOneOf(bytes, stored.get(name), whole.get(name))) wrong.push(`${name} never looked so`)
  }
  const isWhole = sameTree(found, whole).length === 0
  if (!isWhole && !/cannot be read|can be read|cannot be told|may be missing|not taken over/.test(said.join('\n')))
    wrong.push('nobody was told')
  return wrong
}

/** Nothing is pinned that was not, and what is pinned no more was told. */
function wrongPins(found: FileId[], { pinned }: DamagedDrive, said: readonly string[]): string[] {
  const wrong = found.filter((file) => !pinned.includes(file)).map((file) => `${file} is pinned`)
  const isTold = /not known any more|cannot be read|can be read|may be missing/.test(said.join('\n'))
  return found.length < pinned.length && !isTold ? [...wrong, 'pins are lost without a word'] : wrong
}

function isOneOf(bytes: Buffer | null, ...others: (Buffer | null | undefined)[]): boolean {
  return others.some((one) => one === bytes || (one && bytes?.equals(one)))
}

/** Each byte is what it was, or zero. */
function madeUp(name: string, bytes: Buffer | null, was: Buffer | null): string[] {
  if (bytes === null || was === null || bytes.length !== was.length) return [`${name} has another length`]
  return bytes.every((byte, at) => byte === 0 || byte === was[at]) ? [] : [`${name} has bytes that nobody wrote`]
}
