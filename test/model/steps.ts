/** What may happen to a file system, as data: fast-check makes lists of these, both sides carry them out. */
import fc from 'fast-check'

export type Path = readonly string[]
export interface Target {
  readonly pick: number
  readonly name: string | null
}
export type Step = Concrete<Path>
export type Plan = Concrete<Target>
type Concrete<Path> =
  | { readonly do: 'make'; path: Path; type: 'file' | 'directory' | 'link' | 'fifo'; mode: number; gid: number }
  | { readonly do: 'link'; path: Path; to: Path }
  | { readonly do: 'remove'; path: Path; kind: 'file' | 'directory' }
  | { readonly do: 'rename'; path: Path; to: Path; mode: 'replace' | 'no-replace' | 'exchange' }
  | { readonly do: 'write'; path: Path; offset: number; size: number; append: boolean; kill: boolean }
  | { readonly do: 'truncate'; path: Path; size: number }
  | { readonly do: 'range'; path: Path; offset: number; length: number; action: Action; keepSize: boolean }
  | { readonly do: 'copy'; path: Path; from: Path; offset: number; toOffset: number; length: number }
  | { readonly do: 'chmod'; path: Path; mode: number }
  | { readonly do: 'chown'; path: Path; uid: number; gid: number }
  | { readonly do: 'utimes'; path: Path; atime: number; mtime: number }
  | { readonly do: 'setXattr'; path: Path; name: string; value: string }
  | { readonly do: 'removeXattr'; path: Path; name: string }
  | { readonly do: 'hold'; path: Path }
  | { readonly do: 'useHeld'; offset: number; size: number }
  | { readonly do: 'letGo' }
  | { readonly do: 'nameless'; size: number; to: Path | null }
  | { readonly do: 'sync' }
  | { readonly do: 'cut' }
  | { readonly do: 'publish' }
export type Action = 'allocate' | 'punch' | 'zero'

const name = fc.constantFrom('a', 'b', 'c', '\xe9')
/** Resolved when the step is carried out: the pick-th of what is there then, or a name beside (or in) it. */
const path = fc.record({ pick: fc.nat(1_000), name: fc.constant(null) })
const place = fc.record({ pick: fc.nat(1_000), name: fc.option(name, { freq: 8 }) })
const mode = fc.constantFrom(0o755, 0o644, 0o4755, 0o2755, 0o2644, 0o1777)
/** Around the borders of blocks and of what came before. */
const offset = fc.oneof(fc.integer({ min: 0, max: 20_000 }), fc.constantFrom(0, 4_095, 4_096, 8_192))
const size = fc.oneof(fc.integer({ min: 1, max: 9_000 }), fc.constantFrom(1, 4_096, 8_192))
const time = fc.integer({ min: -3_000_000_000, max: 5_000_000_000 })
const xattr = fc.constantFrom('user.a', 'user.b', 'trusted.c')
const is = <T extends Plan['do']>(what: T) => fc.constant(what)

export const step: fc.Arbitrary<Plan> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: is('make'),
      path: place,
      type: fc.constantFrom('file' as const, 'file' as const, 'directory' as const, 'link' as const, 'fifo' as const),
      mode,
      gid: fc.constantFrom(0, 7),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: is('link'), path, to: place }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: is('remove'), path, kind: fc.constantFrom('file' as const, 'directory' as const) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: is('rename'),
      path,
      to: place,
      mode: fc.constantFrom('replace' as const, 'replace' as const, 'no-replace' as const, 'exchange' as const),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ do: is('write'), path, offset, size, append: fc.boolean(), kill: fc.boolean() }),
  },
  { weight: 3, arbitrary: fc.record({ do: is('truncate'), path, size: fc.oneof(offset, fc.constant(0)) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: is('range'),
      path,
      offset,
      length: size,
      action: fc.constantFrom('allocate' as const, 'punch' as const, 'zero' as const),
      keepSize: fc.boolean(),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ do: is('copy'), path, from: path, offset, toOffset: offset, length: size }),
  },
  { weight: 1, arbitrary: fc.record({ do: is('chmod'), path, mode }) },
  { weight: 1, arbitrary: fc.record({ do: is('chown'), path, uid: fc.nat(9), gid: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ do: is('utimes'), path, atime: time, mtime: time }) },
  { weight: 1, arbitrary: fc.record({ do: is('setXattr'), path, name: xattr, value: fc.string({ maxLength: 20 }) }) },
  { weight: 1, arbitrary: fc.record({ do: is('removeXattr'), path, name: xattr }) },
  { weight: 2, arbitrary: fc.record({ do: is('hold'), path }) },
  { weight: 2, arbitrary: fc.record({ do: is('useHeld'), offset, size }) },
  { weight: 1, arbitrary: fc.record({ do: is('letGo') }) },
  { weight: 1, arbitrary: fc.record({ do: is('nameless'), size, to: fc.option(place) }) },
  { weight: 1, arbitrary: fc.record({ do: is('sync') }) },
  { weight: 2, arbitrary: fc.record({ do: is('cut') }) },
  { weight: 2, arbitrary: fc.record({ do: is('publish') }) },
) as fc.Arbitrary<Plan>
