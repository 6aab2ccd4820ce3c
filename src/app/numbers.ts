/** Numbers as people read and type them: sizes in binary units, ages in the two largest units. */
import { AppError } from '../base/errors.js'

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** 1536 -> `1.5 KiB`. */
export function formatBytes(sizeBytes: number): string {
  let value = sizeBytes
  let step = 0
  while (Math.abs(value) >= 1024 && step < units.length - 1) {
    value /= 1024
    step++
  }
  const digits = step === 0 || value >= 100 ? 0 : 1
  return `${value.toFixed(digits)} ${units[step]}`
}

/** `10GiB`, `512 MiB`, `4096`; also `10G`. Throws `usage` for anything else: MB and GB are ambiguous and refused. */
export function parseBytes(text: string): number {
  const match = /^(\d{1,12}(?:\.\d{1,3})?)\s*([KMGTP]i?B?|B)?$/.exec(text.trim())
  const unit = match?.[2] ?? 'B'
  if (match === null || /^[KMGTP]B$/.test(unit)) {
    throw new AppError('usage', `'${text}' is not a size`, {
      hint: 'write sizes like 512MiB, 10GiB or a number of bytes',
    })
  }
  const step = units.findIndex((name) => name.startsWith(unit.charAt(0)))
  const sizeBytes = Math.round(Number(match[1]) * 1024 ** step)
  if (!Number.isSafeInteger(sizeBytes)) throw new AppError('usage', `'${text}' is too large a size`)
  return sizeBytes
}

/** 93784000 -> `1 d 2 h`. */
export function formatDuration(durationMs: number): string {
  const steps: [string, number][] = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1_000],
  ]
  const first = steps.findIndex(([, sizeMs]) => durationMs >= sizeMs)
  if (first < 0) return `${Math.round(durationMs)} ms`
  const [[unit, sizeMs], next] = [steps[first] as [string, number], steps[first + 1]]
  const whole = Math.floor(durationMs / sizeMs)
  const rest = next === undefined ? 0 : Math.floor((durationMs - whole * sizeMs) / next[1])
  return rest === 0 || next === undefined ? `${whole} ${unit}` : `${whole} ${unit} ${rest} ${next[0]}`
}

const DECIMAL = ['kB', 'MB', 'GB', 'TB', 'PB'] as const

/** As disks and lines are sold: `500GB` is 500 x 10^9 bytes; also `500GiB` and what parseBytes takes. `usage` for anything else. */
export function parseAmount(option: string, text: string): number {
  const [, count = '', unit = ''] = /^(\d{1,12}(?:\.\d{1,3})?)\s*([kKMGTP]B)$/.exec(text.trim()) ?? []
  const step = DECIMAL.findIndex((name) => name.toLowerCase() === unit.toLowerCase())
  if (step < 0) {
    try {
      return parseBytes(text)
    } catch (cause) {
      const hint = 'write sizes like 500GB (10^9 bytes each), 500GiB (2^30) or a number of bytes'
      throw new AppError('usage', `${option}: '${text}' is not a size`, { cause, hint })
    }
  }
  const sizeBytes = Math.round(Number(count) * 1000 ** (step + 1))
  if (!Number.isSafeInteger(sizeBytes)) throw new AppError('usage', `${option}: '${text}' is too large a size`)
  return sizeBytes
}

/** `2MB/s`, `1.5MiB/s`. */
export function parseRate(option: string, text: string): number {
  const [, amount] = /^(.+?)\s*(?:\/s|ps)$/.exec(text.trim()) ?? []
  if (amount !== undefined && /B$/.test(amount)) return parseAmount(option, amount)
  throw new AppError('usage', `${option}: '${text}' is not a rate`, {
    hint: 'write rates in bytes a second, like 2MB/s',
  })
}

/** 2000000 -> `2 MB/s`, as lines are sold. */
export function formatRate(bytesPerSecond: number): string {
  let value = bytesPerSecond / 1_000
  let step = 0
  while (value >= 1_000 && step < DECIMAL.length - 1) {
    value /= 1_000
    step++
  }
  return `${Number(value.toFixed(1))} ${DECIMAL[step]}/s`
}

/** What a host may lend: less than a volume file and what belongs to it is no use to anybody. */
const SPACE_MIN_BYTES = 64 * 1_048_576

/** `usage` for what is no size, or too small a one. */
export function parseHostSpace(text: string, option = '--space'): number {
  const sizeBytes = parseAmount(option, text)
  if (sizeBytes >= SPACE_MIN_BYTES) return sizeBytes
  throw new AppError('usage', `a host lends at least ${formatBytes(SPACE_MIN_BYTES)}, not ${formatBytes(sizeBytes)}`)
}

/** An option that counts something: `usage` unless it is a whole number within the bounds (or was not given). */
export function checkWhole(option: string, value: number | undefined, min: number, max: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= min && value <= max)) return
  throw new AppError('usage', `${option} is a whole number from ${min} to ${max}`)
}
