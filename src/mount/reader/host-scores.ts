/**
 * What hosts' answers were like: who is asked first, when an answer is late, who is left alone for a while. Answers of one
 * host come one behind the other, so what is outstanding counts: an answer behind others is not late.
 */
import type { HostId } from '../../model/ids.js'

interface Score {
  /** Until the first byte, smoothed. */
  latencyMs: number
  bytesPerMs: number
  /** Asked for and not yet there. */
  outstandingBytes: number
  failuresInRow: number
  failedAtMs: number
  /** Null before the first answer. */
  answeredAtMs: number | null
}

/** RFC 6298's gain: a new measurement counts an eighth. */
const GAIN = 1 / 8
const LATENCY_GUESS_MS = 100
/** 8 MB/s: what one connection carries at 50 ms round trip. */
const RATE_GUESS_BYTES_PER_MS = 8_000
/** A smaller answer is all latency. */
const SMALL_BYTES = 32_768
/** A late host is raced after this multiple of its own expected time; below it noise would start races. */
const LATE_FACTOR = 3
const LATE_MIN_MS = 150
const LATE_MAX_MS = 5_000
/** A host that has never answered may have to be dialed first: six round trips, and a token. */
const FIRST_LATE_MIN_MS = 600
/** A host that failed, or lost a race, is asked last for so long, doubling with each time in a row. */
const AVOID_FIRST_MS = 1_000
const AVOID_MAX_MS = 60_000
const AVOIDED_COST_MS = 1e6
const HOSTS_MAX = 4_096
/**
 * Bytes that races may fetch twice: a tenth of what is read, in bursts of 32 MiB. When all hosts are slow at once it is our
 * own line that is, and more requests would only make it slower.
 */
const RACE_SHARE = 0.1
const RACE_BURST_BYTES = 32 * 1_048_576

export interface AskedHost {
  host: HostId
  bytes: number
  /** Of all answers of this host until the end of this one. */
  queuedBytes: number
  atMs: number
}

export class HostScores {
  private readonly scores = new Map<HostId, Score>()
  private raceBytes = RACE_BURST_BYTES
  private answeredAtMs = Number.NEGATIVE_INFINITY

  asked(host: HostId, bytes: number, nowMs: number): AskedHost {
    const score = this.of(host)
    score.outstandingBytes += bytes
    return { host, bytes, queuedBytes: score.outstandingBytes, atMs: nowMs }
  }

  succeeded(asked: AskedHost, nowMs: number): void {
    const score = this.settled(asked)
    const tookMs = nowMs - asked.atMs
    if (asked.bytes < SMALL_BYTES || tookMs < score.latencyMs) score.latencyMs += (tookMs - score.latencyMs) * GAIN
    if (asked.bytes >= SMALL_BYTES) {
      const rate = asked.queuedBytes / Math.max(1, tookMs - Math.min(score.latencyMs, tookMs / 2))
      score.bytesPerMs += (rate - score.bytesPerMs) * GAIN
    }
    score.failuresInRow = 0
    score.answeredAtMs = nowMs
    this.answeredAtMs = nowMs
    this.raceBytes = Math.min(RACE_BURST_BYTES, this.raceBytes + asked.bytes * RACE_SHARE)
  }

  failed(asked: AskedHost, nowMs: number): void {
    this.settled(asked)
    this.lostRace(asked.host, nowMs)
  }

  /** Nobody waits for this answer any more, and it will not come. */
  abandoned(asked: AskedHost): void {
    this.settled(asked)
  }

  /** Others were faster than it should have been. Its answer may still come and mend its name. */
  lostRace(host: HostId, nowMs: number): void {
    const score = this.of(host)
    score.failuresInRow++
    score.failedAtMs = nowMs
  }

  /** After so long, somebody else should be asked as well. `queuedBytes` with those that were asked for before. */
  lateAfterMs(host: HostId, queuedBytes: number): number {
    const score = this.of(host)
    const leastMs = score.answeredAtMs === null ? FIRST_LATE_MIN_MS : LATE_MIN_MS
    const expectedMs = score.latencyMs + queuedBytes / score.bytesPerMs
    return Math.min(LATE_MAX_MS, Math.max(leastMs, LATE_FACTOR * expectedMs))
  }

  /** Others answered since then and this one did not: so it is not our own line. */
  isSilentSince(host: HostId, sinceMs: number): boolean {
    return this.answeredAtMs >= sinceMs && (this.scores.get(host)?.answeredAtMs ?? Number.NEGATIVE_INFINITY) < sinceMs
  }

  /** Whether a race for so many bytes more may start; they are spent. */
  mayRace(bytes: number): boolean {
    if (this.raceBytes < bytes) return false
    this.raceBytes -= bytes
    return true
  }

  isAvoided(host: HostId, nowMs: number): boolean {
    const score = this.scores.get(host)
    if (score === undefined || score.failuresInRow === 0) return false
    return nowMs - score.failedAtMs < Math.min(AVOID_MAX_MS, AVOID_FIRST_MS * 2 ** (score.failuresInRow - 1))
  }

  /** When an answer of so many bytes would be here; far away for a host that is avoided. Smaller is better. */
  costMs(host: HostId, bytes: number, nowMs: number): number {
    const score = this.scores.get(host)
    if (score === undefined) return LATENCY_GUESS_MS + bytes / RATE_GUESS_BYTES_PER_MS
    const avoided = this.isAvoided(host, nowMs) ? AVOIDED_COST_MS : 0
    return avoided + score.latencyMs + (score.outstandingBytes + bytes) / score.bytesPerMs
  }

  private settled(asked: AskedHost): Score {
    const score = this.of(asked.host)
    score.outstandingBytes = Math.max(0, score.outstandingBytes - asked.bytes)
    return score
  }

  private of(host: HostId): Score {
    let score = this.scores.get(host)
    if (score === undefined) {
      if (this.scores.size >= HOSTS_MAX) this.scores.delete(this.scores.keys().next().value as HostId)
      score = {
        latencyMs: LATENCY_GUESS_MS,
        bytesPerMs: RATE_GUESS_BYTES_PER_MS,
        outstandingBytes: 0,
        failuresInRow: 0,
        failedAtMs: 0,
        answeredAtMs: null,
      }
      this.scores.set(host, score)
    }
    return score
  }
}
