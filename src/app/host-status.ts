/**
 * What an owner sees of his host: facts for `host status --json`, from the running host or, when it does not run, from its folder and
 * the bridge. What is not known is null.
 */
import fs from 'node:fs'
import path from 'node:path'
import type { HostConfig } from '../host/config.js'
import { termsOf } from '../host/config.js'
import { MARK_FILE } from '../host/disk/probe.js'
import type { HostStatus } from '../host/host-status.js'
import type { HostId } from '../model/ids.js'
import type { HostStanding } from '../wire/host-api.js'

/** The appendix of the network's paper: EUR 0.02 for a gigabyte (10^9 bytes) that is held for a month. */
export const EUR_PER_GB_MONTH = 0.02
/** A new host earns nothing until it was audited for so long, and so often without a fault (docs/reputation.md; the bridge decides). */
export const VETTING_DAYS = 21
export const VETTING_SUCCESSES = 100
const DAY_MS = 86_400_000
const GB = 1_000_000_000

export interface Earnings {
  eurPerMonth: number
  /** Nothing counts before. */
  counted: boolean
}

export interface SpaceFacts {
  lentBytes: number
  usedBytes: number
  liveBytes: number | null
  trashBytes: number | null
  freeBytes: number | null
}

export interface HostFacts {
  running: true
  pid: number
  host: HostId
  space: SpaceFacts
  shards: number
  damagedShards: number
  disk: HostStatus['disk']
  refuses: HostStatus['refuses']
  isOpen: boolean
  connections: HostStatus['connections']
  terms: HostStatus['terms']
  traffic: HostStatus['traffic']
  registered: boolean
  bridge: { url: string; connected: boolean }
  standing: HostStanding | null
  earnings: Earnings
}

/** Its disk is away: it waits. */
export interface AwayFacts {
  running: true
  pid: number
  host: HostId
  away: { code: string; why: string }
}

export interface StoppedFacts {
  running: false
  host: HostId
  space: SpaceFacts
  terms: HostStatus['terms']
  bridge: { url: string }
  standing: HostStanding | null
  earnings: Earnings
}

export type RunningFacts = HostFacts | AwayFacts

export function statusFacts(
  status: HostStatus,
  { bridge, standing }: Pick<HostFacts, 'bridge' | 'standing'>,
): HostFacts {
  const { host, registered, shards, damagedShards, disk, refuses, isOpen, connections, terms, traffic } = status
  const { volumeBytes: usedBytes, liveBytes, trashBytes, freeBytes, capacityBytes: lentBytes } = status
  return {
    running: true,
    pid: process.pid,
    host,
    space: { lentBytes, usedBytes, liveBytes, trashBytes, freeBytes },
    shards,
    damagedShards,
    disk,
    refuses,
    isOpen,
    connections,
    terms,
    traffic,
    registered,
    bridge,
    standing,
    earnings: earningsOf(standing, liveBytes),
  }
}

/** Of a whole month of what it holds now. The bridge's word on what that is counts; without it, the host's own. */
export function earningsOf(standing: HostStanding | null, liveBytes: number): Earnings {
  const bytes = standing?.bytes ?? liveBytes
  const eurPerMonth = Math.round((bytes / GB) * EUR_PER_GB_MONTH * 100) / 100
  return { eurPerMonth, counted: standing !== null && standing.vettedAt !== null }
}

/** What the folder of a host that does not run tells. */
export function stoppedFacts(
  dir: string,
  host: HostId,
  { config, standing }: { config: HostConfig; standing: HostStanding | null },
): StoppedFacts {
  const usedBytes = volumeBytes(path.join(dir, 'volumes'))
  const space = { lentBytes: config.capacityBytes, usedBytes, liveBytes: null, trashBytes: null, freeBytes: null }
  const bridge = { url: config.bridgeUrl }
  const earnings = earningsOf(standing, usedBytes)
  return { running: false, host, space, terms: termsOf(config), bridge, standing, earnings }
}

function volumeBytes(volumesDir: string): number {
  try {
    const names = fs.readdirSync(volumesDir).filter((name) => name.endsWith('.vol'))
    return names.reduce((sum, name) => sum + fs.statSync(path.join(volumesDir, name)).size, 0)
  } catch {
    // The disk is not mounted, and its line says so.
    return 0
  }
}

/** The disk with the shards is where it should be. */
export function isDiskThere(dir: string): boolean {
  return fs.existsSync(path.join(dir, 'volumes', MARK_FILE))
}

/** About: the host's mark was made at its init. */
export function vettingDaysLeft(dir: string, nowMs: number): number | null {
  try {
    const ageMs = nowMs - fs.statSync(path.join(dir, 'volumes', MARK_FILE)).mtimeMs
    return Math.max(0, Math.ceil(VETTING_DAYS - ageMs / DAY_MS))
  } catch {
    return null
  }
}
