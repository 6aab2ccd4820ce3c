/** The table of `host status`, for people. */
import type { HostStanding } from '../wire/host-api.js'
import {
  type AwayFacts,
  type Earnings,
  type HostFacts,
  type SpaceFacts,
  type StoppedFacts,
  VETTING_SUCCESSES,
} from './host-status.js'
import { formatBytes, formatRate } from './numbers.js'

/** Newest last. */
const NOTICES_SHOWN = 3

export interface Beside {
  dir: string
  /** Of vetting; null: not known. */
  daysLeft: number | null
  diskThere: boolean
}

export function hostLines(facts: HostFacts | AwayFacts | StoppedFacts, beside: Beside): string[] {
  if ('away' in facts) return awayLines(facts, beside)
  const { space, standing, earnings } = facts
  return [
    `host      ${facts.host}`,
    ...(facts.running ? runningLines(facts) : stoppedLines(beside)),
    `space     ${spaceLine(space)}`,
    ...(facts.running ? shardLines(facts) : []),
    ...standingLines(standing, beside),
    ...termsLines(facts),
    `earnings  ${earningsLine(earnings)}`,
    `bridge    ${facts.bridge.url}${facts.running ? `, ${facts.bridge.connected ? 'connected' : 'not connected'}` : ''}`,
  ]
}

function awayLines({ host, pid, away }: AwayFacts, { dir }: Beside): string[] {
  return [
    `host      ${host}`,
    `state     OFFLINE: ${away.why} [${away.code}]`,
    `          process ${pid} waits, and goes on by itself when the disk is back in ${dir}`,
  ]
}

function runningLines(facts: HostFacts): string[] {
  const { refuses, isOpen, disk, pid, connections } = facts
  const taking =
    refuses !== null
      ? `takes no new shards: ${refuses.why} [${refuses.code}]`
      : isOpen
        ? 'takes new shards'
        : 'outside its hours: takes no new shards, and answers what it holds'
  const writes = disk.writeMs === null ? '' : `, writes in ${disk.writeMs} ms`
  return [
    `state     runs (process ${pid}), ${taking}`,
    `disk      ${disk.state}${disk.why === null ? writes : `: ${disk.why}`}`,
    ...(connections === null ? [] : [`peers     ${connections.direct} direct, ${connections.relayed} through a relay`]),
  ]
}

function stoppedLines({ dir, diskThere }: Beside): string[] {
  const lines = [
    'state     NOT RUNNING: what follows is from its folder and from the bridge',
    `          start it with: shardrive host run --dir ${dir}`,
  ]
  if (!diskThere) lines.push('disk      AWAY: the disk of the shards is not mounted there')
  return lines
}

function spaceLine(space: SpaceFacts): string {
  const parts = [`${formatBytes(space.usedBytes)} used of ${formatBytes(space.lentBytes)} lent`]
  if (space.liveBytes !== null) parts.push(`${formatBytes(space.liveBytes)} live`)
  if (space.trashBytes !== null) parts.push(`${formatBytes(space.trashBytes)} in the trash`)
  if (space.freeBytes !== null) parts.push(`${formatBytes(space.freeBytes)} free`)
  return parts.join(', ')
}

function shardLines({ shards, damagedShards }: HostFacts): string[] {
  return [`shards    ${shards}${damagedShards > 0 ? `, ${damagedShards} DAMAGED (the bridge is told)` : ''}`]
}

function standingLines(standing: HostStanding | null, { daysLeft }: Beside): string[] {
  if (standing === null) return ['standing  unknown: the bridge does not answer']
  const { state, vettedAt, verdicts, onlineShare, notices, exit } = standing
  const passed = `${Math.min(verdicts.success, VETTING_SUCCESSES)} of ${VETTING_SUCCESSES} audits passed`
  const toGo = `not vetted yet: ${passed}${daysLeft === null ? '' : `, about ${daysLeft} days to go`}`
  const vetted = vettedAt === null ? toGo : `vetted since ${dayOf(vettedAt)}`
  const audits = `${verdicts.success} passed, ${verdicts.fail} failed, ${verdicts.offline} offline, ${verdicts.timeout} timed out, ${verdicts.unknown} unknown`
  const lines = [
    `standing  ${state} (${(standing.score * 100).toFixed(1)} %), ${vetted}`,
    ...notices.slice(-NOTICES_SHOWN).map((one) => `          ${dayOf(one.at)} ${one.state}: ${one.why}`),
    `audits    ${audits}`,
    `online    ${(onlineShare * 100).toFixed(1)} % of its hours in the last 30 days`,
  ]
  if (exit.phase === 'leaving') lines.push(`leaving   ${exit.shardsLeft} shards are still to be moved`)
  if (exit.phase === 'left') lines.push('leaving   DONE: nothing of the network depends on this host any more')
  return lines
}

function termsLines(facts: HostFacts | StoppedFacts): string[] {
  const { hours, zone, upBytesPerSecondMax, downBytesPerSecondMax, monthBytesMax } = facts.terms
  const rate = (limit: number | undefined) => (limit === undefined ? 'no limit' : formatRate(limit))
  const cap = monthBytesMax === undefined ? 'no cap' : `cap ${formatBytes(monthBytesMax)}`
  const { traffic } = facts as Partial<HostFacts>
  const passed =
    traffic === undefined
      ? ''
      : `${formatBytes(traffic.sentBytes)} up and ${formatBytes(traffic.receivedBytes)} down this month, `
  return [
    `traffic   ${passed}${cap}`,
    `limits    up ${rate(upBytesPerSecondMax)}, down ${rate(downBytesPerSecondMax)}`,
    `hours     ${hours === undefined ? 'all day' : `${hours.from} to ${hours.to}`} (${zone})`,
  ]
}

function earningsLine({ eurPerMonth, counted }: Earnings): string {
  const amount = `EUR ${eurPerMonth.toFixed(2)} for a month of what it holds now`
  return counted ? amount : `${amount}, not counted until vetted`
}

function dayOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10)
}
