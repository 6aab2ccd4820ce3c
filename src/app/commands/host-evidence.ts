/**
 * `shardrive host evidence`: what the bridge holds against this host, checked here: the bridge's signed question, this host's
 * signed answer, and what each proof in it is worth. Nobody has to believe the bridge.
 */
import fs from 'node:fs'
import path from 'node:path'
import type { Argv } from 'yargs'
import { AppError } from '../../base/errors.js'
import type { HostId } from '../../model/ids.js'
import type { Finding } from '../../permits/audit.js'
import type { HostStanding } from '../../wire/host-api.js'
import type { Arguments, Command } from '../command.js'
import { defaultHostDir } from '../host-settings.js'
import { checkWhole } from '../numbers.js'
import type { Terminal } from '../terminal.js'

interface EvidenceArguments {
  dir: string
  id?: number
  to?: string
}

const ID_MAX = 2 ** 48

const MEANINGS: Record<Finding, string> = {
  proved: 'proved',
  wrong: 'WRONG: what was sent is not of this shard',
  'not-found': 'NOT FOUND: the host said that it does not have it',
  damaged: 'DAMAGED: the host said that its copy is',
  unreadable: 'unreadable just then, said the host: asked again before it counts',
}

export const evidence: Command<EvidenceArguments> = {
  declare: (yargs: Argv) =>
    yargs
      .option('dir', { type: 'string', default: defaultHostDir(), describe: 'folder made by host init' })
      .option('id', { type: 'number', describe: 'which one, of those that `host evidence` lists' })
      .option('to', { type: 'string', describe: 'write its bytes into a new file: anybody can check them' })
      .example('shardrive host evidence --dir /srv/shardrive', 'lists what there is')
      .example('shardrive host evidence --id 12 --to audit-12.bin', '') as unknown as Argv<EvidenceArguments>,
  async run(args: Arguments<EvidenceArguments>, terminal: Terminal) {
    checkWhole('--id', args.id, 1, ID_MAX)
    const { openIdentity } = await import('../host-control.js')
    const { host, config, client } = openIdentity(path.resolve(args.dir))
    if (args.id === undefined) return list(host, await client.standing(host), terminal)
    const bytes = await client.transcript(host, args.id)
    const { verifyTranscript } = await import('../../permits/audit.js')
    const { challenge, findings } = await verifyTranscript(bytes)
    if (challenge.host !== host || challenge.bridge !== config.bridge) {
      throw new AppError('audit-malformed', 'it is about another host, or was asked by another bridge')
    }
    if (args.to !== undefined) save(args.to, bytes)
    const leaves = challenge.items.map((item, at) => ({ ...item, finding: findings?.[at] ?? null }))
    const asked = new Date(challenge.issuedAtMs).toISOString()
    terminal.result({ host, id: args.id, askedAt: challenge.issuedAtMs, leaves, to: args.to ?? null }, [
      `asked ${asked}, ${leaves.length} leaves; both signatures are right`,
      ...(findings === null ? ['no answer that could be used came in time'] : []),
      ...leaves.flatMap(({ shard, leaf, finding }) =>
        finding === null ? [] : [`${shard} leaf ${leaf}: ${MEANINGS[finding]}`],
      ),
    ])
    return undefined
  },
}

function save(file: string, bytes: Buffer): void {
  try {
    fs.writeFileSync(file, bytes, { flag: 'wx', mode: 0o644 })
  } catch (cause) {
    throw new AppError('output-unwritable', `${file} cannot be made: ${(cause as Error).message}`, {
      hint: 'name a file that is not there yet, in a folder that you may write in',
      cause,
    })
  }
}

function list(host: HostId, { notices }: HostStanding, terminal: Terminal): undefined {
  const kept = notices.filter((one) => one.transcript !== null)
  const none = 'the bridge holds nothing against this host'
  const lines = kept.map((one) => `${one.transcript}  ${new Date(one.at).toISOString()}  ${one.state}: ${one.why}`)
  terminal.result(
    { host, evidence: kept },
    lines.length === 0 ? none : [...lines, 'look at one: shardrive host evidence --id N'],
  )
}
