/** What fsck found, for a person: what is wrong, which files, how many bytes, what to do. Paths are said here and nowhere else. */
import type { FilesAtRisk } from '../mount/metadata/care.js'
import type { FsckReport } from './drive-fsck.js'
import type { PlacementLook } from './fsck-placement.js'
import { formatBytes } from './numbers.js'

const FILES_SHOWN = 50

const TO_DO: Readonly<Record<string, string>> = {
  'segment-lost':
    'its hosts may only be away: shardrive status, and fsck again later; --read tells whether it can be read. Else bring these files back from a copy',
  leftover: 'shardrive fsck without --dry-run takes it away',
  'cache-spoilt': 'shardrive fsck without --dry-run drops them; they are fetched again',
}
const HEAL =
  'shardrive unmount, then shardrive mount: the start heals the drive from the network and keeps the damaged files'

export function fsckLines(report: FsckReport): string[] {
  const { findings, repaired } = report
  const isSound = findings.length === 0
  return [
    ...repaired.map((one) => `repaired  ${one.code}: ${one.message}`),
    ...findings.map((one) => `DAMAGED   ${one.code}: ${one.message}`),
    ...[...new Set(findings.map((one) => TO_DO[one.code] ?? HEAL))].map((todo) => `          what to do: ${todo}`),
    ...fileLines('LOST', report.lost),
    ...fileLines('at risk, their shards are as few as may be', report.atRisk),
    ...asideLines(report),
    ...sumLines(report),
    isSound ? (repaired.length === 0 ? 'sound' : 'sound: all of it was repaired') : `${findings.length} findings`,
  ]
}

function fileLines(word: string, { files, count, bytes }: FilesAtRisk): string[] {
  if (count === 0) return []
  const shown = files.slice(0, FILES_SHOWN)
  const more = count > shown.length ? [`          and ${count - shown.length} more (--json names up to 1,000)`] : []
  return [
    `${word}: ${formatBytes(bytes)} of ${count} files`,
    ...shown.map((one) => `          ${pathText(one.path)}: ${formatBytes(one.bytes)}`),
    ...more,
  ]
}

function asideLines({ setAside }: FsckReport): string[] {
  return setAside.flatMap(({ folder, timeMs, isHealed, outcome }) => {
    const day = new Date(timeMs).toISOString().slice(0, 10)
    const head = `set aside on ${day}: ${folder}${isHealed ? '' : ' (its healing is not done: shardrive mount goes on with it)'}`
    const files = outcome?.files ?? []
    const now = { stored: 'shows what was stored last', damaged: 'has zeros where bytes are lost' }
    return [
      head,
      ...(outcome?.lines ?? []).map((line) => `          ${line}`),
      ...files
        .slice(0, FILES_SHOWN)
        .map((one) => `          ${pathText(one.path)}: ${formatBytes(one.bytes)} lost, it ${now[one.now]}`),
      ...(isHealed ? ['          remove the folder when you do not need it any more'] : []),
    ]
  })
}

function sumLines({ ledger, cache, placement, unasked }: FsckReport): string[] {
  const units = `${cache.units} units (${formatBytes(cache.bytes)}) of the cache`
  return [
    `looked at ${ledger.files} files and folders, ${formatBytes(ledger.stagedBytes)} that are only here, ${units}`,
    ...(placement === null ? [] : [placementLine(placement)]),
    ...(unasked === null ? [] : [`placement was not checked: ${unasked}`]),
  ]
}

function placementLine({
  segments,
  full,
  short,
  weak,
  lost,
  unknown,
  read,
  unreadable,
  readBytes,
}: PlacementLook): string {
  const below = `${short + weak} on fewer (the bridge has them repaired)`
  const gone = lost + unknown === 0 ? '' : `, ${lost} on too few, ${unknown} unknown to the bridge`
  const fetched =
    read + unreadable === 0 ? '' : `; ${read} read and verified (${formatBytes(readBytes)}), ${unreadable} unreadable`
  return `          ${segments} segments on the network: ${full} on all their hosts, ${below}${gone}${fetched}`
}

/** Names are bytes; what is not UTF-8 shows as replacement characters. */
function pathText(path: string): string {
  return `/${Buffer.from(path, 'latin1').toString('utf8')}`
}
