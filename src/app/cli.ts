/**
 * The command line: which verb, which arguments, which exit code. Knows yargs and the verbs' names; what a verb does is
 * in commands/. A wrong command line is `usage` (exit 2), never a stack.
 */
import { readFileSync } from 'node:fs'
import type { Argv } from 'yargs'
import { AppError, isCode } from '../base/errors.js'
import { findProgramFile } from '../base/program-files.js'
import { type Arguments, type Command, isGroup, type SubCommand } from './command.js'
import { type ExitCode, exitCodes } from './exit-codes.js'
import { firstScreen } from './help.js'
import { Terminal, type TerminalParts } from './terminal.js'
import { type Verb, verbs, wordOf } from './verbs.js'

/** Something still open (a socket, a library's thread) must not keep a finished command alive longer than this. */
const lingerMs = 3_000

const standardParts: TerminalParts = { out: process.stdout, err: process.stderr }

/** Runs one command line to its end and sets the exit code of the process. */
export async function runCommandLine(words: readonly string[]): Promise<void> {
  process.stdout.on('error', leaveOnClosedPipe)
  process.stderr.on('error', leaveOnClosedPipe)
  const exitCode = await commandLine(words, standardParts)
  process.exitCode = exitCode
  setTimeout(() => process.exit(exitCode), lingerMs).unref()
}

/** The same without touching the process: what the tests call. */
export async function commandLine(words: readonly string[], parts: TerminalParts): Promise<number> {
  const terminal = new Terminal(parts, { json: words.includes('--json') })
  try {
    const [first] = words
    if (first === undefined || first === 'help' || first === '--help' || first === '-h') {
      parts.out.write(firstScreen(version()))
      return exitCodes.ok
    }
    if (first === '--version') {
      terminal.result({ version: version() }, version())
      return exitCodes.ok
    }
    return await runVerb(findVerb(words), words, terminal, parts)
  } catch (error) {
    return terminal.fail(withHelp(error, words))
  }
}

function findVerb(words: readonly string[]): Verb {
  const word = words.find((one) => !one.startsWith('-'))
  const verb = verbs.find((one) => wordOf(one) === word)
  if (verb !== undefined) return verb
  const near = verbs.map(wordOf).find((one) => word !== undefined && isNear(one, word))
  throw new AppError('usage', word === undefined ? 'no command given' : `there is no command '${word}'`, {
    hint: near === undefined ? 'shardrive --help lists all commands' : `did you mean: shardrive ${near}`,
  })
}

async function runVerb(
  verb: Verb,
  words: readonly string[],
  terminal: Terminal,
  parts: TerminalParts,
): Promise<number> {
  const [{ default: yargs }, { command }] = await Promise.all([import('yargs'), verb.load()])
  let exitCode: number = exitCodes.ok
  const runOne = async (one: Command<unknown>, args: unknown): Promise<void> => {
    refuseTwice(args as Record<string, unknown>)
    exitCode = ((await one.run(args as Arguments<unknown>, terminal)) as ExitCode | undefined) ?? exitCodes.ok
  }
  const settings = (one: Argv): Argv =>
    one
      .scriptName('shardrive')
      .option('json', { type: 'boolean', default: false, describe: 'print one JSON object, for scripts' })
      .version(false)
      .help('help')
      .alias('help', 'h')
      .describe('help', 'show this')
      .strict()
      .exitProcess(false)
      .wrap(Math.min(100, process.stdout.columns ?? 100))
      .fail((message, error) => {
        // What yargs itself refuses comes in either form.
        if (error === undefined || error.name === 'YError') throw usageError(message ?? error.message, words)
        throw error
      })
  const declareGroup = (inner: Argv, group: readonly SubCommand[]): Argv => {
    for (const part of group) {
      inner.command(
        part.usage,
        part.summary,
        (y: Argv) => withValues(part.command.declare(y)),
        (args) => runOne(part.command, args),
      )
    }
    return inner.demandCommand(1, `say what to do: ${group.map(wordOf).join(', ')}`)
  }
  const parser = settings(yargs()).command(
    verb.usage,
    verb.summary,
    (inner: Argv) => (isGroup(command) ? declareGroup(inner, command.subCommands) : withValues(command.declare(inner))),
    async (args) => {
      if (!isGroup(command)) await runOne(command, args)
    },
  )
  let help = ''
  await parser.parseAsync([...words], {}, (_error: unknown, _args: unknown, output: string) => {
    help = output
  })
  if (help !== '') parts.out.write(`${help}\n`)
  return exitCode
}

/** `--state` with nothing behind it is no empty name. */
function withValues(declared: Argv): Argv {
  const { string, number, array } = (declared as unknown as { getOptions(): Record<string, string[]> }).getOptions()
  const named = [...(string ?? []), ...(number ?? [])].filter((name) => !array?.includes(name))
  return named.reduce((one, name) => one.nargs(name, 1), declared)
}

/** yargs makes a list of an option that comes twice; nobody can know which one was meant. */
function refuseTwice(args: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(args)) {
    if (name === '_' || !Array.isArray(value) || LISTS.has(name)) continue
    throw new AppError('usage', `--${name} is given more than once`)
  }
}

/** What takes several values. */
const LISTS = new Set(['ice', 'paths', 'worker'])

/** A command line that a command refused: where to read how it is written. */
function withHelp(error: unknown, words: readonly string[]): unknown {
  if (!isCode(error, 'usage') || (error as AppError).hint !== undefined) return error
  return new AppError('usage', (error as AppError).message, { hint: helpHint(words) })
}

function helpHint(words: readonly string[]): string {
  const verb = words.find((one) => !one.startsWith('-')) ?? ''
  return `shardrive ${verb} --help shows how it is used`
}

function usageError(message: string, words: readonly string[]): AppError {
  const text = message.replace(/\s+/g, ' ').trim()
  const found = usageWords.find(([yargsWords]) => yargsWords.test(text))
  const said = found === undefined ? text : text.replace(...found)
  return new AppError('usage', said, { hint: helpHint(words) })
}

/** What yargs says, in the words of a person. */
const usageWords: [RegExp, string][] = [
  [/^Not enough non-option arguments.*$/, 'something is missing behind the command'],
  [/^Missing required arguments?: (.*)$/, 'missing: --$1'],
  [/^Unknown (?:argument|command|option)s?: (.*)$/, 'not known here: $1'],
  [/^Not enough arguments following: (.*)$/, '--$1 needs a value'],
  [/^Invalid values: Argument: ([^,]+), Given: ([^,]+), Choices: (.*)$/, '--$1 is one of $3, not $2'],
]

/** One letter too many, too few, swapped or wrong. */
function isNear(right: string, typed: string): boolean {
  if (Math.abs(right.length - typed.length) > 1) return false
  const sorted = (text: string): string => [...text].sort().join('')
  if (sorted(right) === sorted(typed)) return true
  let at = 0
  while (at < right.length && right[at] === typed[at]) at++
  const tails = [
    [right.slice(at + 1), typed.slice(at)],
    [right.slice(at), typed.slice(at + 1)],
    [right.slice(at + 1), typed.slice(at + 1)],
  ]
  return tails.some(([one, other]) => one === other)
}

function version(): string {
  const file = findProgramFile('package.json')
  return file === undefined ? 'unknown' : (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

/** `shardrive status | head -1`: the reader has gone, and that is no error. */
function leaveOnClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(process.exitCode ?? exitCodes.ok)
  throw error
}
