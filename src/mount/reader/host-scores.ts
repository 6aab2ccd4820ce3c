import type { HostId } from '../../model/ids.js'

/** What a host's answers were like: used to order hosts and to know when one is late. */
interface Score {
  /** Of a small answer, smoothed. */
  latencyMs: number
  /** Of large answers, smoothed. */
  bytesPerMs: number
  failuresInRow: number
  failedAtMs: number
}

/** RFC 6298's gain: a new measurement counts an eighth. */
const GAIN = 1 / 8
const LATENCY_GUESS_MS = 100
/** 8 MB/s: what one connection carries at 50 ms round trip. */
const RATE_GUESS_BYTES_PER_MS = 8_000
/** A late host is raced after this multiple of its own expected time; below it noise would start races. */
const LATE_FACTOR = 3
const LATE_MIN_MS = 150
const LATE_MAX_MS = 5_000
/** A host that failed is asked last for so long, doubling with each failure in a row. */
const AVOID_FIRST_MS = 1_000
const AVOID_MAX_MS = 60_000
const HOSTS_MAX = 4_096

export class HostScores {
  private readonly scores = new Map<HostId, Score>()

  succeeded(host: HostId, bytes: number, tookMs: number): void {
    const score = this.of(host)
    const expectedMs = bytes / score.bytesPerMs
    if (bytes < 32_768) score.latencyMs += (tookMs - score.latencyMs) * GAIN
    else {
      const rate = bytes / Math.max(1, tookMs - Math.min(score.latencyMs, tookMs / 2))
      score.bytesPerMs += (rate - score.bytesPerMs) * GAIN
      if (tookMs < score.latencyMs + expectedMs) score.latencyMs += (Math.min(score.latencyMs, tookMs) - score.latencyMs) * GAIN
    }
    score.failuresInRow = 0
  }

  failed(host: HostId, nowMs: number): void {
    const score = this.of(host)
    score.failuresInRow++
    score.failedAtMs = nowMs
  }

  /** After so long, somebody else should be asked as well. */
  lateAfterMs(host: HostId, bytes: number): number {
    const score = this.of(host)
    return Math.min(LATE_MAX_MS, Math.max(LATE_MIN_MS, LATE_FACTOR * (score.latencyMs + bytes / score.bytesPerMs)))
  }

  isAvoided(host: HostId, nowMs: number): boolean {
    const score = this.scores.get(host)
    if (score === undefined || score.failuresInRow === 0) return false
    return nowMs - score.failedAtMs < Math.min(AVOID_MAX_MS, AVOID_FIRST_MS * 2 ** (score.failuresInRow - 1))
  }

  /** Smaller is better. */
  rank(host: HostId, nowMs: number): number {
    const score = this.scores.get(host)
    if (score === undefined) return LATENCY_GUESS_MS
    return score.latencyMs + (this.isAvoided(host, nowMs) ? 1e6 : 0)
  }

  private of(host: HostId): Score {
    let score = this.scores.get(host)
    if (score === undefined) {
      if (this.scores.size >= HOSTS_MAX) this.scores.delete(this.scores.keys().next().value as HostId)
      score = { latencyMs: LATENCY_GUESS_MS, bytesPerMs: RATE_GUESS_BYTES_PER_MS, failuresInRow: 0, failedAtMs: 0 }
      this.scores.set(host, score)
    }
    return score
  }
}
