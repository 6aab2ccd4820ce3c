/**
 * Extended attributes: user.*, trusted.* (root) and security.* as bytes; system.* (ACLs) are not supported. Three virtual ones,
 * user.shardrive.state, .health and .pinned, can be read but are not listed, so that `cp -a` does not carry them along. The last
 * can be set: who may do so (who may write the file) is the kernel's to judge, as with every user.* attribute.
 */
import { AppError } from '../../base/errors.js'
import type { MaybePromise, RequestContext } from '../fuse/filesystem.js'
import { NO_XATTRS } from './inode-table.js'
import type { VfsState } from './state.js'

const STATE = 'user.shardrive.state'
const HEALTH = 'user.shardrive.health'
const PINNED = 'user.shardrive.pinned'
const VIRTUAL_PREFIX = 'user.shardrive.'

type Access = 'stored' | 'hidden' | 'virtual'

const NAMESPACES = ['user.', 'security.', 'trusted.']

function accessOf(name: string, ctx: RequestContext): Access {
  if (name.startsWith(VIRTUAL_PREFIX)) return 'virtual'
  if (NAMESPACES.includes(name)) throw new AppError('invalid-argument', 'the attribute has no name in its namespace')
  if (name.startsWith('user.') || name.startsWith('security.')) return 'stored'
  if (name.startsWith('trusted.')) return ctx.uid === 0 ? 'stored' : 'hidden'
  throw new AppError('not-supported', 'attributes of this namespace are not supported')
}

/** Answers at once when the names are known and this is none of them: kernel and programs ask often. */
export function getXattr(s: VfsState, ino: number, name: Buffer, ctx: RequestContext): MaybePromise<Buffer | null> {
  const text = name.toString('latin1')
  const access = accessOf(text, ctx)
  if (access === 'hidden') return null
  // File managers ask this of every file: from memory.
  if (text === PINNED) return s.parts.pins === undefined ? null : Buffer.from(s.parts.pins.isPinned(ino) ? 'yes' : 'no')
  if (access === 'virtual') return virtual(s, ino, text)
  const known = s.table.get(ino)?.xattrs
  return known && !known.has(text) ? null : fetchXattr(s, ino, name, text)
}

async function fetchXattr(s: VfsState, ino: number, name: Buffer, text: string): Promise<Buffer | null> {
  const known = await namesOf(s, ino)
  return known.has(text) ? s.parts.ledger.getXattr(ino, name) : null
}

async function virtual(s: VfsState, ino: number, name: string): Promise<Buffer | null> {
  if (name !== STATE && name !== HEALTH) return null
  const { state, segments } = await s.parts.ledger.stateOf(ino)
  if (name === STATE) return Buffer.from(state)
  const text = s.parts.health?.describe(segments)
  return text === undefined ? null : Buffer.from(text)
}

async function namesOf(s: VfsState, ino: number): Promise<ReadonlySet<string>> {
  const known = s.table.get(ino)?.xattrs
  if (known) return known
  const names = await s.parts.ledger.listXattr(ino)
  const set = names.length === 0 ? NO_XATTRS : new Set(names.map((name) => name.toString('latin1')))
  const entry = s.table.get(ino)
  // A change that was made while we asked has said what it left.
  if (entry !== undefined) entry.xattrs ??= set
  return entry?.xattrs ?? set
}

export async function listXattr(s: VfsState, ino: number, ctx: RequestContext): Promise<Buffer[]> {
  const names = await namesOf(s, ino)
  return [...names].filter((name) => accessOf(name, ctx) === 'stored').map((name) => Buffer.from(name, 'latin1'))
}

export async function setXattr(
  s: VfsState,
  ino: number,
  name: Buffer,
  value: Buffer,
  flags: { readonly create: boolean; readonly replace: boolean },
  ctx: RequestContext,
): Promise<void> {
  if (name.toString('latin1') === PINNED) return setPinned(s, ino, value, flags.create)
  expectStored(name, ctx)
  s.expectWritable()
  if (flags.create && flags.replace) return refuseBoth(s, ino, name)
  const mode = flags.create ? 'create' : flags.replace ? 'replace' : 'any'
  s.learn(await s.parts.ledger.setXattr(ino, name, value, mode, s.time()))
  forgetNames(s, ino)
}

/** It must not be there and must be there: told is the one that is not so. */
async function refuseBoth(s: VfsState, ino: number, name: Buffer): Promise<never> {
  const known = await namesOf(s, ino)
  if (known.has(name.toString('latin1'))) throw new AppError('exists', 'the attribute exists')
  throw new AppError('no-data', 'no such attribute')
}

export async function removeXattr(s: VfsState, ino: number, name: Buffer, ctx: RequestContext): Promise<void> {
  if (name.toString('latin1') === PINNED) return setPinned(s, ino, NO, false)
  expectStored(name, ctx)
  s.expectWritable()
  s.learn(await s.parts.ledger.removeXattr(ino, name, s.time()))
  forgetNames(s, ino)
}

const YES = Buffer.from('yes')
const NO = Buffer.from('no')

/** Also on a read-only drive: it changes this device, and nothing of the drive. */
async function setPinned(s: VfsState, ino: number, value: Buffer, create: boolean): Promise<void> {
  const { pins } = s.parts
  if (pins === undefined) throw new AppError('not-permitted', 'nothing is pinned here')
  if (create) throw new AppError('exists', 'the attribute exists')
  if (value.equals(YES)) await pins.pin(ino)
  else if (value.equals(NO)) await pins.unpin(ino)
  else throw new AppError('invalid-argument', 'yes or no')
}

function expectStored(name: Buffer, ctx: RequestContext): void {
  if (accessOf(name.toString('latin1'), ctx) === 'stored') return
  throw new AppError('not-permitted', 'this attribute cannot be changed')
}

function forgetNames(s: VfsState, ino: number): void {
  const entry = s.table.get(ino)
  if (entry !== undefined) entry.xattrs = null
}
