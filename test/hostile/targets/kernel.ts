/**
 * Requests of the kernel: each kind decoded from its own bytes alone, then all of them dispatched into a real drive, with sizes
 * and offsets that disagree.
 */

import { AppError } from '../../../src/base/errors.js'
import { decodeHeader, decodeRequest } from '../../../src/mount/fuse/decode.js'
import { Dispatcher } from '../../../src/mount/fuse/dispatch.js'
import { parseMountInfo } from '../../../src/mount/fuse/mount-table.js'
import { OP } from '../../../src/mount/fuse/opcodes.js'
import { Replies } from '../../../src/mount/fuse/replies.js'
import { ReplyBytes } from '../../../src/mount/fuse/reply-bytes.js'
import { VfsDriver } from '../../model/vfs-driver.js'
import { SAMPLES } from '../../rooms/mount/fuse/samples.js'
import { FakeHosts, open as openLedger } from '../../rooms/mount/metadata/support.js'
import { capturedLog } from '../../support/captured-log.js'
import type { Dice } from '../../support/dice.js'
import { body, KernelEar, kernelRequest, received, text, u32, u64 } from '../../support/kernel-requests.js'
import { mutate } from '../../support/mutate.js'
import { scratchFolder } from '../../support/scratch-folder.js'
import { decoder, type Opened, type Target } from '../target.js'

const FUSE = ['src/mount/fuse/decode.ts', 'src/mount/fuse/request-bytes.ts']
const HEADER_BYTES = 40
const names = Object.keys(OP) as (keyof typeof OP)[]

/** The header is sound mostly: the kernel's framing is what carries us. */
function spoilRequest(dice: Dice, samples: readonly Buffer[]): Buffer {
  const sample = dice.pick(samples)
  if (dice.roll(0, 9) === 0) return mutate(dice, sample)
  const content = mutate(dice, sample.subarray(HEADER_BYTES), dice.pick(samples).subarray(HEADER_BYTES))
  const whole = Buffer.concat([sample.subarray(0, HEADER_BYTES), content])
  whole.writeUInt32LE(whole.length)
  return whole
}

function outcome(bytes: Buffer, poison: number): unknown {
  const from = received(bytes, poison)
  const header = decodeHeader(from)
  return decodeRequest(from, header.opcode, header.ino)
}

const textOf = (value: unknown) => JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? String(one) : one))

const requests = names.map((name) =>
  decoder(
    `request ${name}`,
    FUSE,
    {
      samples: SAMPLES.filter((sample) => sample.opcode === OP[name]).map((sample) => kernelRequest(sample)),
      spoil: spoilRequest,
      take: (input) => {
        const means = outcome(input, 0x00)
        if (textOf(means) !== textOf(outcome(input, 0xff)))
          throw new Error('bytes outside of the request were looked at')
      },
      codes: ['malformed'],
      // Some kinds have no fields: nothing in them can be wrong but the header.
      taken: 'sometimes',
    },
    [`OP.${name}`],
  ),
)

/** Tells of its first answer: the ledger's come from a thread of its own. */
class WaitingEar extends KernelEar {
  private tell: () => void = () => undefined

  expect(): Promise<void> {
    this.heard.length = 0
    return new Promise((resolve) => {
      this.tell = resolve
    })
  }

  override sendWith(length: number, buffers: readonly Uint8Array[]): number {
    const errno = super.sendWith(length, buffers)
    if (this.heard.at(-1)?.unique !== 0) this.tell()
    return errno
  }
}

const FILE = 2
const SECRET_NAME = 'canary: a name that no log may show'
const far = 2 ** 52
const numbers = [0, 1, 4_095, 2 ** 32, far - 1, far, far + 1, 2 ** 53 - 1]

/** A request that the kernel could send, with numbers that no program has any business with. */
function oddRequest(dice: Dice, fh: number): Buffer {
  const n = () => dice.pick(numbers)
  const ino = dice.pick([1, FILE, FILE, FILE, 3, 999])
  const name = text(dice.pick([SECRET_NAME, 'f', '.', '..', 'x'.repeat(256)]))
  const io = body(u64(fh), u64(n()), u32(dice.pick([0, 1, 4_096, 2 ** 20])), u32(0), u64(0), u32(0), u32(0))
  const bodies: [opcode: number, body: Buffer][] = [
    [OP.READ, io],
    [OP.READDIR, io],
    [OP.READDIRPLUS, io],
    [
      OP.WRITE,
      body(
        u64(fh),
        u64(n()),
        u32(4),
        u32(dice.pick([0, 1])),
        u64(0),
        u32(dice.pick([0, 0o2001])),
        u32(0),
        Buffer.from('data'),
      ),
    ],
    [OP.FALLOCATE, body(u64(fh), u64(n()), u64(n()), u32(dice.pick([0, 1, 3, 17, 64])), u32(0))],
    [OP.LSEEK, body(u64(fh), u64(n()), u32(dice.pick([0, 3, 4, 9])), u32(0))],
    [
      OP.SETATTR,
      body(
        u32(dice.pick([8, 0b1111, 0b111_1111, 0xffff])),
        u32(0),
        u64(fh),
        u64(n()),
        u64(0),
        u64(n()),
        u64(n()),
        u64(n()),
        u32(5),
        u32(5),
        u32(5),
        u32(0o7777),
        u32(0),
        u32(2 ** 32 - 1),
        u32(7),
        u32(0),
      ),
    ],
    [OP.FORGET, u64(n())],
    [OP.LOOKUP, name],
    [OP.MKNOD, body(u32(dice.pick([0o100644, 0o020600, 0o170000, 0])), u32(0xffffffff), u32(0), u32(0), name)],
    [OP.MKDIR, body(u32(0o7777), u32(0), name)],
    [OP.SYMLINK, body(name, text('y'.repeat(dice.pick([1, 4_095]))))],
    [OP.LINK, body(u64(ino), name)],
    [OP.RENAME2, body(u64(1), u32(dice.roll(0, 7)), u32(0), name, text('new'))],
    [OP.UNLINK, name],
    [OP.RMDIR, name],
    [OP.SETXATTR, body(u32(1), u32(dice.roll(0, 3)), text('user.canary'), Buffer.from('v'))],
    [OP.GETXATTR, body(u32(dice.pick([0, 1, 64])), u32(0), text('user.canary'))],
    [OP.OPEN, body(u32(dice.pick([0, 1, 2, 3, 0o1002])), u32(0))],
    [OP.CREATE, body(u32(0o301), u32(0o7777), u32(0), u32(0), name)],
    [OP.COPY_FILE_RANGE, body(u64(fh), u64(n()), u64(ino), u64(fh), u64(n()), u64(n()), u64(0))],
  ]
  const [opcode, content] = dice.pick(bodies)
  return kernelRequest({ opcode, ino, body: content })
}

/** Requests that nobody answers. */
const SILENT: readonly number[] = [OP.FORGET, OP.BATCH_FORGET, OP.INTERRUPT]

function dispatched(): Target {
  const open = async (): Promise<Opened> => {
    const { log, text: said } = capturedLog()
    const scratch = scratchFolder()
    const ledger = await openLedger(scratch.folder)
    const { vfs } = await VfsDriver.start(ledger, new FakeHosts())
    const ear = new WaitingEar()
    const out = new ReplyBytes(ear.out, { entrySec: 1, negativeSec: 1, attributesSec: 1 }, { noFlush: true })
    const replies = new Replies({ out, port: ear, log })
    const dispatcher = new Dispatcher({ fs: vfs, replies, log, onReady: () => undefined })
    const context = { uid: 0, gid: 0, pid: 1, signal: new AbortController().signal }
    const flags = {
      read: true,
      write: true,
      append: false,
      truncate: false,
      exclusive: false,
      sync: false,
      direct: false,
    }
    const made = await vfs.create(1, Buffer.from('f'), 0o644, { ...flags, noAtime: false, killSuidGid: false }, context)
    const { fh } = made
    return {
      samples: [kernelRequest({ opcode: OP.STATFS })],
      spoil: (dice) =>
        dice.roll(0, 3) > 0
          ? oddRequest(dice, fh)
          : spoilRequest(
              dice,
              SAMPLES.map((one) => kernelRequest({ ...one, ino: 1 })),
            ),
      take: async (input) => {
        const answered = ear.expect()
        dispatcher.dispatch(received(input))
        const opcode = input.length >= HEADER_BYTES ? input.readUInt32LE(4) : 0
        // A number of 0 is no request's: its answer would not be told from a message to the kernel.
        const isDropped =
          input.length < HEADER_BYTES || input.readUInt32LE(0) !== input.length || input.readBigUInt64LE(8) === 0n
        if (isDropped || SILENT.includes(opcode)) return
        await answered
        // A message of number 0 is no answer: it tells the kernel what to forget.
        const answers = ear.heard.filter((one) => one.unique !== 0)
        if (answers.length > 1) throw new Error(`${answers.length} answers`)
        if ((answers[0]?.errno ?? 0) !== 0) throw new AppError('malformed', `errno ${answers[0]?.errno}`)
      },
      codes: ['malformed'],
      taken: 'sometimes',
      secrets: [Buffer.from(SECRET_NAME)],
      said,
      conclude: async () => {
        const found = said()
          .split('\n')
          .filter((line) => /unexpected failure|refused a reply/.test(line) && !line.includes('kernel-too-old'))
        await vfs
          .fsync(made.attributes.ino, fh, false, context)
          .catch((error: Error) => found.push(`fsync: ${error.message}`))
        found.push(...(await ledger.check()).map((finding) => finding.message))
        return found.slice(0, 3)
      },
      close: async () => {
        await ledger.close()
        scratch.remove()
      },
    }
  }
  return { name: 'requests into a drive', of: [...FUSE, 'src/mount/fuse/dispatch.ts'], open }
}

/** The kernel writes it, but others choose the paths in it. */
const mountTable = decoder('mount table', ['src/mount/fuse/mount-table.ts'], {
  samples: [
    Buffer.from(
      '36 35 98:0 / /mnt1 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n37 36 0:5 / /a\\040b rw - fuse.x x rw\n',
    ),
  ],
  take: (input) => {
    for (const one of parseMountInfo(input.toString('latin1'))) {
      if (one.device === undefined || one.mountPoint === undefined) throw new Error('half an entry')
    }
  },
  taken: 'always',
  codes: [],
})

export const kernelTargets: readonly Target[] = [...requests, dispatched(), mountTable]
