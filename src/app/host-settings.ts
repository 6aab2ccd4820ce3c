/** What an owner says of his host on the command line, checked: the same words for `host init` and `host set`. */
import os from 'node:os'
import path from 'node:path'
import type { Argv } from 'yargs'
import { AppError } from '../base/errors.js'
import { checkPayoutAddress } from '../crypto/payout-address.js'
import { type HostConfig, MONTH_BYTES_MIN, RATE_MIN } from '../host/config.js'
import type { Hours } from '../host/terms/schedule.js'
import { isZone, systemZone } from '../host/terms/zoned-time.js'
import { checkWhole, formatBytes, formatRate, parseAmount, parseHostSpace, parseRate } from './numbers.js'

/** As typed. */
export interface SettingWords {
  space?: string
  domain?: string
  payoutAddress?: string
  hours?: string
  zone?: string
  up?: string
  down?: string
  month?: string
  udpPort?: number
}

export type Settings = Partial<Omit<HostConfig, 'version' | 'bridge' | 'bridgeUrl'>>

/** Takes a limit away. */
export const NO_LIMIT = 'none'

export function defaultHostDir(): string {
  return path.join(os.homedir(), 'shardrive-host')
}

export function declareSettings(yargs: Argv): Argv {
  return yargs
    .option('space', { type: 'string', describe: 'how much to lend, like 500GB or 500GiB' })
    .option('domain', { type: 'string', describe: 'who operates this host: hosts of one operator share no data' })
    .option('payout-address', { type: 'string', describe: 'where earnings go: an address (0x...), never a key' })
    .option('hours', { type: 'string', describe: 'when to serve, local time, like 22-07 or 22:30-07:00; none: always' })
    .option('zone', {
      type: 'string',
      describe: "time zone of the hours, like Europe/Madrid (default: this machine's)",
    })
    .option('up', { type: 'string', describe: 'most bytes a second to send, like 2MB/s; none: no limit' })
    .option('down', { type: 'string', describe: 'most bytes a second to take in, like 10MB/s; none: no limit' })
    .option('month', {
      type: 'string',
      describe: 'most traffic of a calendar month, both ways, like 200GB; none: no cap',
    })
    .option('udp-port', { type: 'number', describe: 'one fixed UDP port, for a router that forwards it' })
}

/** Only what was said; a value that is undefined takes the setting away. */
export async function parseSettings(words: SettingWords): Promise<Settings> {
  const { space, domain, payoutAddress, hours, zone, up, down, month, udpPort } = words
  checkWhole('--udp-port', udpPort, 1, 65_535)
  return {
    ...(space === undefined ? {} : { capacityBytes: parseHostSpace(space) }),
    ...(domain === undefined ? {} : { domain: parseDomain(domain) }),
    ...(payoutAddress === undefined ? {} : { payoutAddress: await orNone(payoutAddress, checkPayoutAddress) }),
    // What this machine is set to now: hours mean the same wherever the folder goes.
    ...(hours === undefined ? {} : { hours: await orNone(hours, parseHours), zone: zone ?? systemZone() }),
    ...(zone === undefined ? {} : { zone: parseZone(zone) }),
    ...(up === undefined ? {} : { upBytesPerSecondMax: await orNone(up, (text) => parseLimit('--up', text)) }),
    ...(down === undefined ? {} : { downBytesPerSecondMax: await orNone(down, (text) => parseLimit('--down', text)) }),
    ...(month === undefined ? {} : { monthBytesMax: await orNone(month, parseMonth) }),
    ...(udpPort === undefined ? {} : { udpPort }),
  }
}

/** Without what was taken away. */
export function withSettings(config: HostConfig, settings: Settings): HostConfig {
  const merged = { ...config, ...settings }
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== undefined)) as HostConfig
}

async function orNone<T>(text: string, parse: (text: string) => T | Promise<T>): Promise<T | undefined> {
  return text.trim() === NO_LIMIT ? undefined : await parse(text)
}

/** `22-07`, `22:30-7:00`. */
export function parseHours(text: string): Hours {
  const hint = 'write hours like 22-07 or 22:30-07:00, from and until; none: always'
  const [, from = '', to = ''] = /^([0-9:]{1,5})\s*-\s*([0-9:]{1,5})$/.exec(text.trim()) ?? []
  const time = (part: string) => {
    const [, hour = '', minute = '00'] = /^([0-9]{1,2})(?::([0-9]{2}))?$/.exec(part) ?? []
    if (hour === '' || Number(hour) > 24 || Number(minute) > 59 || (Number(hour) === 24 && minute !== '00')) {
      throw new AppError('usage', `--hours: '${text}' are no hours`, { hint })
    }
    return `${String(Number(hour) % 24).padStart(2, '0')}:${minute}`
  }
  const hours = { from: time(from), to: time(to) }
  if (hours.from === hours.to) throw new AppError('usage', '--hours: from and until are the same time', { hint })
  return hours
}

function parseZone(text: string): string {
  if (isZone(text)) return text
  throw new AppError('usage', `--zone: '${text}' is no time zone`, { hint: 'write it like Europe/Madrid, or UTC' })
}

function parseDomain(text: string): string {
  if (/^[A-Za-z0-9._:-]{1,128}$/.test(text)) return text
  throw new AppError('usage', '--domain has 1 to 128 letters, digits, dots, dashes and colons')
}

function parseLimit(option: string, text: string): number {
  const rate = parseRate(option, text)
  if (rate >= RATE_MIN) return rate
  const why = `below ${formatRate(RATE_MIN)} no shard would arrive in time`
  throw new AppError('usage', `${option}: ${why}`, { hint: 'a host that should rest has --hours' })
}

function parseMonth(text: string): number {
  const bytes = parseAmount('--month', text)
  if (bytes >= MONTH_BYTES_MIN) return bytes
  throw new AppError('usage', '--month: a host needs 1GB of traffic at least')
}

/** For people. */
export function settingLines(config: Settings): string[] {
  const { capacityBytes = 0, payoutAddress, hours, zone, domain, udpPort } = config
  const rate = (limit: number | undefined) => (limit === undefined ? 'no limit' : formatRate(limit))
  const { upBytesPerSecondMax, downBytesPerSecondMax, monthBytesMax } = config
  return [
    `space     ${formatBytes(capacityBytes)}`,
    `payout    ${payoutAddress ?? 'no address yet: nothing can be paid out'}`,
    `hours     ${hours === undefined ? 'always' : `${hours.from} to ${hours.to} (${zone})`}`,
    `limits    up ${rate(upBytesPerSecondMax)}, down ${rate(downBytesPerSecondMax)}`,
    `traffic   ${monthBytesMax === undefined ? 'no cap' : `at most ${formatBytes(monthBytesMax)} a month`}`,
    ...(domain === undefined ? [] : [`domain    ${domain}`]),
    ...(udpPort === undefined ? [] : [`port      ${udpPort}/udp`]),
  ]
}
