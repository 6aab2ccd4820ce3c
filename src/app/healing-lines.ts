/** What a healing says of itself, to people and to the log: it counts files and never names them; `shardrive fsck` does. */
import type { SetAside } from '../mount/account/set-aside.js'
import type { CarriedOver, CarriedPins } from '../mount/metadata/carried.js'
import { formatBytes } from './numbers.js'

/** What became of what was only here. */
export type HealOutcome =
  | { kind: 'nothing' }
  | { kind: 'carried'; carried: CarriedOver }
  /** Nothing of the old database can be read; it may have held something. */
  | { kind: 'unreadable' }
  /** It can be read, and does not go on from where the chain is. */
  | { kind: 'kept'; why: string; operations: number | null; bytes: number; isRolledBack: boolean }

/** For the log: no names. */
export function countsOf(outcome: HealOutcome): object {
  if (outcome.kind !== 'carried') return outcome
  const { lostFiles: _named, ...counts } = outcome.carried
  return { kind: outcome.kind, ...counts }
}

export function healingLines(outcome: HealOutcome, pins: CarriedPins, aside: Pick<SetAside, 'folder'>): string[] {
  return [...linesOf(outcome, aside), ...pinLines(pins)]
}

function pinLines({ lost }: CarriedPins): string[] {
  if (lost === null) return ['what was pinned is not known any more, or not all of it: shardrive pin sets it again']
  return lost === 0 ? [] : [`what ${lost} pins were for is not known any more: shardrive pin sets them again`]
}

function linesOf(outcome: HealOutcome, { folder }: Pick<SetAside, 'folder'>): string[] {
  const keep = `the damaged database is kept in ${folder}`
  if (outcome.kind === 'nothing') return ['the drive is healed: everything in it was stored on the network']
  if (outcome.kind === 'unreadable') {
    return [`the drive shows what was stored on the network; of what was only here nothing can be read: ${keep}`]
  }
  if (outcome.kind === 'kept') {
    const { operations, why } = outcome
    const bytes = formatBytes(outcome.bytes)
    const what =
      operations === null
        ? `What was only here (${bytes} are known of) was not taken over`
        : `${operations} changes with ${bytes} were only here, as far as that database knows, and were not taken over`
    return [`the drive shows what is stored on the network. ${what} (${why}): ${keep}`]
  }
  const { operations, bytes, lostBytes, lostFileCount, lostOperations } = outcome.carried
  if (operations === 0 && lostOperations === null) {
    return [`the drive is healed from the network; whether it had changes that were only here cannot be told: ${keep}`]
  }
  const lines = [
    `the drive is healed: ${operations} changes with ${formatBytes(bytes)} that were only here were carried over`,
  ]
  if (lostFileCount > 0) {
    lines.push(
      `${formatBytes(lostBytes)} of ${lostFileCount} files cannot be read any more: shardrive fsck names them; ${keep}`,
    )
  }
  if (lostOperations === null || lostOperations > 0) {
    const many = lostOperations === null ? 'perhaps some changes' : `${lostOperations} changes`
    lines.push(`${many} behind them cannot be read any more: ${keep}`)
  }
  return lines
}
