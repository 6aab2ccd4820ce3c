/**
 * Pins of a ledger that was set aside, set in the one that was built again from the chain. Inode numbers are new there, file ids are
 * not: what was pinned is found by its id, and a pin whose file is no more goes with it (docs/semantics.md, S-36).
 */
import type { CarriedPins } from './carried.js'
import type { OldLedger } from './old-ledger.js'
import { addPins, isPinnable } from './pins.js'
import type { Tables } from './tables.js'

/** Durable when it returns; done twice, it is done once. Behind carryOver(): what was only here may be pinned. */
export function carryPins(t: Tables, old: OldLedger): CarriedPins {
  const { files, lost } = old.pins()
  const inos = files.flatMap((file) => {
    const node = t.inodes.byFileId(file)
    return node !== null && isPinnable(node) ? [node.ino] : []
  })
  t.database.alone(() => addPins(t, inos), true)
  return { pins: inos.length, lost }
}
