/**
 * What a command of the command line is. One file a verb under commands/, which exports `command`; cli.ts loads
 * that file only when the verb was typed. A verb with sub-verbs (`host run`) exports a CommandGroup.
 *
 * A command declares its arguments (with yargs: positionals, options, at least one example), then runs with the parsed
 * arguments. It tells its result through the terminal and fails by throwing; what it returns is the exit code (0 if nothing).
 */
import type { Argv } from 'yargs'
import type { ExitCode } from './exit-codes.js'
import type { Terminal } from './terminal.js'

/** What was typed, after yargs has checked names, types and counts. */
export type Arguments<A> = A & { readonly json: boolean }

export interface Command<A = Record<string, unknown>> {
  declare(yargs: Argv): Argv<A>
  run(args: Arguments<A>, terminal: Terminal): Promise<ExitCode | undefined> | Promise<void>
}

/** A sub-verb with its arguments as yargs writes them (`run`, `revoke <device>`), and its line in the help. */
export interface SubCommand {
  readonly usage: string
  readonly summary: string
  // biome-ignore lint/suspicious/noExplicitAny: the arguments of each sub-verb are its own
  readonly command: Command<any>
}

export interface CommandGroup {
  readonly subCommands: readonly SubCommand[]
}

// biome-ignore lint/suspicious/noExplicitAny: the arguments of each verb are its own
export type CommandModule = { readonly command: Command<any> | CommandGroup }

export function isGroup(command: CommandModule['command']): command is CommandGroup {
  return 'subCommands' in command
}
