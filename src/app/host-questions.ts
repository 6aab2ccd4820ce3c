/** The interview of `host init` on a terminal: what was not said on the command line is asked, with a default and one line of reason. */
import fs from 'node:fs'
import path from 'node:path'
import { AppError } from '../base/errors.js'
import { parseBridgeUrl } from '../bridge-client/bridge-url.js'
import { checkPayoutAddress } from '../crypto/payout-address.js'
import { defaultHostDir, NO_LIMIT, parseHours, parseSettings, type SettingWords } from './host-settings.js'
import { formatBytes, parseHostSpace } from './numbers.js'
import type { Questions } from './questions.js'

export interface InitWords extends SettingWords {
  dir?: string
  bridge?: string
}

/** Of what the disk has free: the rest is the owner's. */
const SPACE_SHARE = 0.5
const GIB = 1_073_741_824

export async function askForInit(questions: Questions, words: InitWords): Promise<InitWords> {
  const said: InitWords = { ...words }
  const bridge = (text: string) => {
    try {
      parseBridgeUrl(text)
      return text
    } catch (cause) {
      throw new AppError('usage', (cause as Error).message, { cause })
    }
  }
  said.bridge ??= await questions.ask({
    ask: 'bridge',
    explain: 'The address of the bridge that coordinates the network, like https://bridge.example.org',
    check: bridge,
  })
  said.dir ??= await questions.ask({
    ask: 'folder',
    explain:
      'Where the shards and the identity of this host lie: on the disk that you lend, not on one that may be unplugged',
    byDefault: defaultHostDir(),
    check: (text) => path.resolve(text),
  })
  said.space ??= await askForSpace(questions, said.dir)
  said.payoutAddress ??= await questions.ask({
    ask: 'payout address',
    explain: `Where earnings go: the address of a wallet (0x...), never a key. ${NO_LIMIT}: later, with host set`,
    byDefault: NO_LIMIT,
    check: async (text) => (text === NO_LIMIT ? text : await checkPayoutAddress(text)),
  })
  said.hours ??= await questions.ask({
    ask: 'hours',
    explain: `When this machine serves, in local time, like 22-07. ${NO_LIMIT}: always, which earns most`,
    byDefault: NO_LIMIT,
    check: (text) => {
      if (text !== NO_LIMIT) parseHours(text)
      return text
    },
  })
  said.up ??= await askForLimit(
    questions,
    'up',
    'Most bytes a second to send, like 2MB/s: leave some of your line for yourself',
  )
  said.down ??= await askForLimit(questions, 'down', 'Most bytes a second to take in, like 10MB/s')
  said.month ??= await askForLimit(
    questions,
    'month',
    'Most traffic of a calendar month, both ways, like 200GB: for lines that are metered',
  )
  return said
}

function askForSpace(questions: Questions, dir: string): Promise<string> {
  const freeBytes = freeBytesAt(dir)
  const half = Math.floor((freeBytes * SPACE_SHARE) / GIB)
  return questions.ask({
    ask: 'space',
    explain: `How much to lend, like 500GB; ${formatBytes(freeBytes)} are free there. It can grow and shrink later, with host set`,
    ...(half > 0 ? { byDefault: `${half}GiB` } : {}),
    check: (text) => {
      if (parseHostSpace(text) <= freeBytes) return text
      throw new AppError('usage', `only ${formatBytes(freeBytes)} are free there`)
    },
  })
}

function askForLimit(questions: Questions, name: 'up' | 'down' | 'month', explain: string): Promise<string> {
  return questions.ask({
    ask: name === 'month' ? 'month' : `limit ${name}`,
    explain: `${explain}. ${NO_LIMIT}: no limit`,
    byDefault: NO_LIMIT,
    check: async (text) => {
      await parseSettings({ [name]: text })
      return text
    },
  })
}

/** Of the file system where the folder is or will be. */
function freeBytesAt(dir: string): number {
  for (let place = path.resolve(dir); ; place = path.dirname(place)) {
    try {
      const { bavail, bsize } = fs.statfsSync(place)
      return bavail * bsize
    } catch (cause) {
      if (path.dirname(place) === place) throw new AppError('state-unwritable', `${dir} cannot be looked at`, { cause })
    }
  }
}
