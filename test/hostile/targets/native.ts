/**
 * The native addons' functions, called with anything. An input is a number: what the arguments are made from. Under a sanitizer:
 * COUNT=100000 with the addons built for it.
 */
import net from 'node:net'
import { type CodecAddon, codecAddon } from '../../../src/addon/codec.js'
import { type DoorAddon, type DoorSession, doorAddon } from '../../../src/addon/door.js'
import { AppError } from '../../../src/base/errors.js'
import { SHARD_BYTES_MAX } from '../../../src/model/segment.js'
import { hostileValue, rightArguments } from '../../support/codec-arguments.js'
import { Dice } from '../../support/dice.js'
import type { Opened, Target } from '../target.js'

type AnyFunction = (...args: unknown[]) => unknown
const NUMBER_BYTES = 4
const noNumber = [Buffer.alloc(NUMBER_BYTES)]

function spoil(dice: Dice): Buffer {
  const input = Buffer.alloc(NUMBER_BYTES)
  input.writeUInt32LE(dice.roll(1, 2 ** 32 - 1))
  return input
}

/** Right arguments with none to two of them spoilt, or some of them missing. */
function argumentsFrom(input: Buffer, right: (dice: Dice) => unknown[], isSound: boolean): unknown[] {
  const dice = new Dice(input.readUInt32LE())
  const args = right(dice)
  if (isSound) return args
  for (let count = dice.roll(1, 2); count > 0; count--) args[dice.roll(0, args.length)] = hostileValue(dice)
  if (dice.roll(0, 20) === 0) args.length = dice.roll(0, args.length)
  return args
}

const codec = codecAddon()
const codecNames = Object.keys(rightArguments(new Dice(1))) as Exclude<keyof CodecAddon, 'version'>[]
/** A segment of the largest shards, of as many as a scheme may have: a number of shards that is spoilt may be a sound one. */
const ALL_SHARDS_BYTES_MAX = 255 * SHARD_BYTES_MAX
/** These look at no argument. */
const CAREFREE: readonly string[] = ['capability']

function codecTarget(name: (typeof codecNames)[number]): Target {
  const call = codec[name] as AnyFunction
  const open = (): Opened => ({
    samples: noNumber,
    spoil,
    take: (input, isSound) => {
      let answer: unknown
      try {
        answer = call(...argumentsFrom(input, (dice) => rightArguments(dice)[name], isSound))
      } catch (error) {
        const code = (error as { code?: string }).code
        if (code !== 'ERR_CODEC_ARGUMENT') throw error
        throw new AppError('malformed', (error as Error).message)
      }
      // What it takes it carries out: a rejection would be for memory that is short.
      return answer
    },
    codes: ['malformed'],
    taken: CAREFREE.includes(name) ? 'always' : 'sometimes',
    costBytesMax: ALL_SHARDS_BYTES_MAX,
    close: () => codec.setPath('auto'),
  })
  return { name: `codec ${name}`, of: ['src/addon/codec.ts'], is: [`codec ${name}`], open }
}

/** A session over one end of a pair: what it sends is thrown away at the other, as a kernel would. */
interface Pair {
  session: DoorSession
  ours: number
  close(): void
}

function openPair(door: DoorAddon): Pair {
  const [ours, theirs] = door.socketPair()
  const session = door.attach(theirs, () => undefined)
  // The other end is read, so that no send waits.
  const drain = new net.Socket({ fd: ours, readable: true, writable: false })
  drain.resume().on('error', () => undefined)
  return {
    session,
    ours,
    close: () => {
      session.close()
      drain.destroy()
    },
  }
}

/** Arguments that do not fit are EINVAL or a TypeError; nothing else, and no crash. */
const EINVAL = 22
const b = (size: number) => Buffer.alloc(size, 1)
const doorCalls: Record<string, { right(dice: Dice): unknown[]; of: 'session' | 'addon' }> = {
  send: { right: () => [40], of: 'session' },
  sendWith: { right: () => [16, [b(100), b(5_000)]], of: 'session' },
  notify: { right: () => [7, b(40)], of: 'session' },
  // Right ones would mount and unmount: only wrong ones are tried, below.
  mountDirect: { right: () => ['/nowhere', 'shardrive', 'fuse', 'none', 'max_read=1'], of: 'addon' },
  detach: { right: () => ['/nowhere/at/all', 'none'], of: 'addon' },
  detachNow: { right: () => [Symbol('none')], of: 'addon' },
  receiveDescriptor: { right: () => [-1], of: 'addon' },
  closeDescriptor: { right: () => [-1], of: 'addon' },
  attach: { right: () => ['none', () => undefined], of: 'addon' },
}
/** What of these fits for an exotic value is harmless: numbers that are no descriptors of ours, paths that are nowhere. */
const SAFE_VALUES = (dice: Dice): unknown =>
  dice.pick([
    NaN,
    -1,
    -(2 ** 31),
    1e300,
    null,
    undefined,
    '',
    '/nowhere',
    'x'.repeat(9_000),
    'a\0b',
    {},
    [],
    b(9),
    7n,
    Symbol('s'),
  ])

function doorTarget(name: string): Target {
  const { right, of } = doorCalls[name] as (typeof doorCalls)[string]
  const open = (): Opened => {
    const door = doorAddon()
    const pair = openPair(door)
    const call = Reflect.get(of === 'session' ? pair.session : door, name) as AnyFunction
    const argumentsOf = (input: Buffer): unknown[] => {
      if (of === 'session') return argumentsFrom(input, right, false)
      const dice = new Dice(input.readUInt32LE())
      const args = right(dice)
      for (let at = 0; at < args.length; at++) if (dice.roll(0, 1) === 0) args[at] = SAFE_VALUES(dice)
      if (dice.roll(0, 20) === 0) args.length = dice.roll(0, args.length)
      return args
    }
    return {
      samples: noNumber,
      spoil,
      take: async (input, isSound) => {
        if (isSound && of === 'addon') return
        let answer: unknown
        try {
          answer = await call.apply(pair.session, isSound ? right(new Dice(1)) : argumentsOf(input))
        } catch (error) {
          if (!(error instanceof Error)) throw error
          throw new AppError('malformed', error.message)
        }
        if (answer === EINVAL || (typeof answer === 'number' && answer < 0)) throw new AppError('malformed', 'refused')
      },
      codes: ['malformed'],
      taken: 'sometimes',
      close: () => pair.close(),
    }
  }
  return { name: `door ${name}`, of: ['src/addon/door.ts'], is: [`door ${name}`], open }
}

const isLinux = process.platform === 'linux'
export const nativeTargets: readonly Target[] = [
  ...codecNames.map(codecTarget),
  ...(isLinux ? Object.keys(doorCalls).map(doorTarget) : []),
]
