import fs from 'node:fs'
import t from 'tap'
import { doorAddon } from '../../../src/addon/door.js'
import { treacherous } from '../../support/codec-arguments.js'

const only = process.platform === 'linux' ? {} : { skip: 'there is no native door here' }

t.test('what is no descriptor is refused, and nothing is closed for it', only, async (t) => {
  const door = doorAddon()
  const before = fs.fstatSync(0)
  for (const wrong of ['none', undefined, {}, Symbol('none'), NaN, 0.5, -1, 1e300, 2 ** 32]) {
    t.throws(() => door.attach(wrong as unknown as number, () => undefined))
    t.throws(() => door.closeDescriptor(wrong as unknown as number))
    t.throws(() => door.receiveDescriptor(wrong as unknown as number))
  }
  t.equal(fs.fstatSync(0).ino, before.ino, 'standard input is still what it was')
})

t.test('buffers that vanish while they are listed are not sent', only, async (t) => {
  const door = doorAddon()
  const [ours, theirs] = door.socketPair()
  const session = door.attach(theirs, () => undefined)
  const EINVAL = 22
  t.equal(session.sendWith(16, treacherous() as Uint8Array[]), 0)
  const heard = Buffer.alloc(10_000)
  t.equal(fs.readSync(ours, heard, 0, heard.length, null), 16 + 4_096, 'the header, and the one that is left')
  t.equal(session.sendWith(16, [5 as unknown as Uint8Array]), EINVAL)
  session.close()
  door.closeDescriptor(ours)
})
