/**
 * What a case of the POSIX suite has to work with: hands of several users in one fresh folder, and expectations that are counted
 * and told with operation, arguments, what was expected and what was found.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { Argument, Hand, Outcome } from './hand.js'

export interface Stat {
  readonly type: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly nlink: number
  readonly ino: number
  readonly dev: number
  readonly size: number
  readonly blocks: number
  readonly blksize: number
  readonly major: number
  readonly minor: number
  /** Nanoseconds; as words, for they are larger than exact numbers. */
  readonly atime: string
  readonly mtime: string
  readonly ctime: string
}

/** Twice what the portable door tells apart. */
const TICK_MS = 2

export class Count {
  passed = 0
  readonly failures: string[] = []

  check(good: boolean, line: () => string): boolean {
    if (good) this.passed++
    else this.failures.push(line())
    return good
  }
}

/** One user. Operations are those of hand.py. */
export class Actor {
  readonly hand: Hand
  private readonly name: string
  private readonly count: Count

  constructor(name: string, hand: Hand, count: Count) {
    this.name = name
    this.hand = hand
    this.count = count
  }

  get uid(): number {
    return this.hand.uid
  }
  get gid(): number {
    return this.hand.gid
  }

  /** It must succeed; its value. */
  async ok<T = number>(operation: string, ...args: Argument[]): Promise<T> {
    const found = await this.hand.ask(operation, args)
    this.count.check(found.errno === undefined, () => this.line(operation, args, 'success', found))
    return found.value as T
  }

  /** It must be refused with this errno, or one of these. */
  async no(errno: string | readonly string[], operation: string, ...args: Argument[]): Promise<void> {
    const found = await this.hand.ask(operation, args)
    const wanted = typeof errno === 'string' ? [errno] : errno
    const good = found.errno !== undefined && wanted.includes(found.errno)
    this.count.check(good, () => this.line(operation, args, wanted.join(' or '), found))
  }

  /** Refused with this errno, or (null) not refused. */
  async expect(errno: string | null, operation: string, ...args: Argument[]): Promise<void> {
    if (errno === null) await this.ok(operation, ...args)
    else await this.no(errno, operation, ...args)
  }

  /** It must give this value. */
  async is(expected: unknown, operation: string, ...args: Argument[]): Promise<void> {
    const found = await this.hand.ask(operation, args)
    const good = found.errno === undefined && isDeepStrictEqual(found.value, expected)
    this.count.check(good, () => this.line(operation, args, show(expected), found))
  }

  /** Every field named must be so. */
  async has(expected: Partial<Record<string, unknown>>, operation: string, ...args: Argument[]): Promise<void> {
    const found = await this.hand.ask(operation, args)
    const value = (found.value ?? {}) as Record<string, unknown>
    for (const [field, wanted] of Object.entries(expected)) {
      const seen = found.errno === undefined ? { value: value[field] } : found
      const good = found.errno === undefined && isDeepStrictEqual(value[field], wanted)
      this.count.check(good, () => this.line(operation, args, `${field} ${show(wanted)}`, seen))
    }
  }

  /** To prepare: not counted, and the case ends when it is refused. */
  async do<T = number>(operation: string, ...args: Argument[]): Promise<T> {
    const found = await this.hand.ask(operation, args)
    if (found.errno !== undefined) throw new Error(`to prepare: ${this.line(operation, args, 'success', found)}`)
    return found.value as T
  }

  /** To look: null when it is refused. */
  async stat(path: string): Promise<Stat> {
    return this.do<Stat>('lstat', path)
  }

  /** A file with these bytes. */
  async write(path: string, bytes = '', mode = 0o644): Promise<void> {
    const fd = await this.do('open', path, 'WRONLY|CREAT', mode)
    if (bytes !== '') await this.do('pwrite', fd, bytes, 0)
    await this.do('close', fd)
  }

  /** The bytes of a file, to compare. */
  async read(path: string): Promise<string> {
    const fd = await this.do('open', path, 'RDONLY')
    const { size } = await this.do<Stat>('fstat', fd)
    const bytes = await this.do<string>('pread', fd, size + 1, 0)
    await this.do('close', fd)
    return bytes
  }

  private line(operation: string, args: readonly Argument[], expected: string, found: Outcome): string {
    const what = found.errno ?? (found.value === null || found.value === undefined ? 'success' : show(found.value))
    return `${this.name}: ${operation}(${args.map(show).join(', ')}): expected ${expected}, found ${what}`
  }
}

export type SetReadOnly = (on: boolean) => Promise<void>

export class Scene {
  /** Whose turn it is: root in one run, an ordinary user in another. */
  readonly me: Actor
  /** Another ordinary user, in none of my groups. */
  readonly other: Actor
  readonly root: Actor
  /** A second process of mine, for locks and appends. */
  readonly twin: Actor
  /** Where the door can: no changes from now on, or again. */
  readonly setReadOnly: SetReadOnly | undefined
  private readonly count: Count

  constructor(actors: Record<'me' | 'other' | 'root' | 'twin', Actor>, count: Count, setReadOnly?: SetReadOnly) {
    this.setReadOnly = setReadOnly
    this.me = actors.me
    this.other = actors.other
    this.root = actors.root
    this.twin = actors.twin
    this.count = count
  }

  get privileged(): boolean {
    return this.me.uid === 0
  }

  /** So long that a time of now is later than one of before, also where times show milliseconds. */
  tick(): Promise<void> {
    return sleep(TICK_MS)
  }

  same(what: string, found: unknown, expected: unknown): void {
    this.count.check(
      isDeepStrictEqual(found, expected),
      () => `${what}: expected ${show(expected)}, found ${show(found)}`,
    )
  }

  yes(what: string, good: boolean): void {
    this.count.check(good, () => `${what}: expected so, found otherwise`)
  }
}

const SHOWN_MAX = 160

/** Long names and buffers are cut. */
function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length <= SHOWN_MAX ? text : `${text.slice(0, 60)}... (${text.length} characters)`
}
