/**
 * `device revoke`: two records that the account key signs. The first takes the device from the drive, the second begins a key term
 * that it is not given: what it had read stays read, what is written from now on it cannot open. When only the
 * first came to be (a crash in between), the same call makes the second.
 */
import type { Clock } from '../../base/clock.js'
import { AppError } from '../../base/errors.js'
import type { RandomBytes } from '../../base/random.js'
import { drawTermKey, type PhraseKeys } from '../../crypto/keys.js'
import { wipeAfter } from '../../crypto/secret.js'
import type { DeviceId } from '../../model/ids.js'
import { makeDeviceRevoke, makeKeyTerm } from '../../permits/chain-author.js'
import { type ChainState, isLive } from '../../permits/chain-state.js'
import { appendToChain, type ChainAccess, findDrive, followChain } from './account-chain.js'

export interface RevokeParts {
  client: ChainAccess
  keys: PhraseKeys
  /** Name of the drive. */
  name: string
  /** The device's id, or its beginning when only one device begins so. */
  device: string
  clock: Clock
  random: RandomBytes
}

export interface Revoked {
  device: DeviceId
  /** The key term that new data is written under. */
  keyTerm: number
}

/** `unknown-device`: no device begins so; `usage`: several do, or too little was given to tell. */
export async function revokeDevice(parts: RevokeParts): Promise<Revoked> {
  const { client, keys, clock } = parts
  const drive = await findDrive(client, keys, parts.name)
  const seen = await followChain(client, drive, keys, null)
  const device = findDevice(seen, parts.device)
  const revoked = await appendToChain(client, drive, keys, seen, (state) =>
    isLive(state, device) ? makeDeviceRevoke(state, device, clock.nowMs(), keys.account) : null,
  )
  const termKey = drawTermKey(parts.random)
  const { keyTerm } = await wipeAfter([termKey], () =>
    appendToChain(client, drive, keys, revoked, (state) =>
      knowsNewest(state, device) ? makeKeyTerm(state, termKey, clock.nowMs(), keys.account) : null,
    ),
  )
  return { device, keyTerm }
}

function knowsNewest(state: ChainState, device: DeviceId): boolean {
  return state.devices.get(device)?.wraps.has(state.keyTerm) === true
}

const PREFIX_CHARS_MIN = 8

function findDevice(state: ChainState, typed: string): DeviceId {
  const prefix = typed.toLowerCase().replace(/…$/, '')
  const found = [...state.devices.keys()].filter((device) => device.startsWith(prefix))
  const [only] = found
  if (only === undefined) {
    throw new AppError('unknown-device', `this drive has no device ${typed}`, {
      hint: 'shardrive device list shows them',
    })
  }
  if (found.length > 1 || prefix.length < PREFIX_CHARS_MIN) {
    throw new AppError('usage', `${typed} does not say which device is meant`, {
      hint: `give at least ${PREFIX_CHARS_MIN} of its characters, as shardrive device list shows them`,
    })
  }
  return only
}
