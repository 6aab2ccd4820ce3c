/**
 * Whatever takes bytes from outside is attacked: every kind of message, record and call has a target in test/hostile, and every
 * file that takes bytes apart is named by one.
 */
import fs from 'node:fs'
import t from 'tap'
import { codecAddon } from '../../src/addon/codec.js'
import { doorAddon } from '../../src/addon/door.js'
import { ROUTES } from '../../src/bridge/api/routes.js'
import { RECORD_TYPE } from '../../src/host/shards/record.js'
import { RECORD_KIND } from '../../src/model/chain.js'
import { OP } from '../../src/mount/fuse/opcodes.js'
import { KIND } from '../../src/mount/metadata/operations.js'
import * as api from '../../src/wire/api.js'
import { FRAME } from '../../src/wire/frames.js'
import * as hostApi from '../../src/wire/host-api.js'
import { METHOD } from '../../src/wire/methods.js'
import * as repairApi from '../../src/wire/repair-api.js'
import { BridgeMessage, PeerMessage } from '../../src/wire/socket.js'
import { planOf } from '../hostile/attack.js'
import { groups } from '../hostile/table.js'
import { codeOnly, readSource } from './source.js'

const targets = Object.values(groups).flat()
const covered = new Set(targets.flatMap((target) => target.is ?? []))

/** The literal of `type` in each member of a union of messages. */
function messagesOf(union: unknown): string[] {
  const { anyOf } = union as { anyOf: { properties: { type: { const: string } } }[] }
  return anyOf.map((one) => one.properties.type.const)
}

/** Schemas of whole bodies; those that a body is only put together from are no messages. */
const bodiesOf = (file: string, schemas: object) =>
  Object.entries(schemas)
    .filter(([, value]) => typeof value === 'object' && 'properties' in value)
    .map(([name]) => `${file} ${name}`)
const functionsOf = (addon: object) =>
  Object.keys(addon).filter((name) => typeof Reflect.get(addon, name) === 'function')
const keysOf = (names: object, prefix: string, suffix = '') =>
  Object.keys(names).map((name) => `${prefix}${name}${suffix}`)

const sources: Record<string, string[]> = {
  'frames of a data channel': keysOf(FRAME, 'FRAME.'),
  'methods of hosts': [
    ...keysOf(METHOD, 'METHOD.', ' request'),
    ...keysOf(METHOD, 'METHOD.', ' reply'),
    ...keysOf(METHOD, 'endpoint '),
  ],
  'records of a chain': keysOf(RECORD_KIND, 'RECORD_KIND.'),
  // Writes whose bytes are still here never leave the device.
  operations: keysOf(KIND, 'KIND.').filter((name) => name !== 'KIND.stagedWrite'),
  'records of a volume': keysOf(RECORD_TYPE, 'RECORD_TYPE.'),
  'requests of the kernel': keysOf(OP, 'OP.'),
  'calls of the bridge': ROUTES.map((route) => `${route.method} ${route.path}`),
  'bodies of the bridge': [
    ...bodiesOf('wire/api.ts', api),
    ...bodiesOf('wire/host-api.ts', hostApi),
    ...bodiesOf('wire/repair-api.ts', repairApi),
  ],
  'messages of sockets': [
    ...messagesOf(PeerMessage).map((name) => `PeerMessage ${name}`),
    ...messagesOf(BridgeMessage).map((name) => `BridgeMessage ${name}`),
  ],
  'functions of the codec': functionsOf(codecAddon()).map((name) => `codec ${name}`),
  // It takes nothing.
  'functions of the door':
    process.platform === 'linux'
      ? [...functionsOf(doorAddon()), 'send', 'sendWith', 'notify']
          .filter((name) => name !== 'socketPair')
          .map((name) => `door ${name}`)
      : [],
}

for (const [what, names] of Object.entries(sources)) {
  t.test(`every one of the ${what} is attacked`, async (t) => {
    const isListed = names.length > 0 || (what === 'functions of the door' && process.platform !== 'linux')
    t.ok(isListed, 'the list is there')
    t.same(
      names.filter((name) => !covered.has(name)),
      [],
      'give it a target in test/hostile/targets, with a sound sample and the codes that it may be refused with',
    )
  })
}

/** Takes bytes, text or a file apart. */
const decodes =
  /new ByteReader\(|decodeJson\(|checkValue\(|JSON\.parse\(|\breadSmall\(|readFileSync\(|\.readU?Int\d|\.readBigU?Int|\bgetUint\d/

/** What these read is written by this program and reaches nobody else, or is attacked through another file. */
const exempt: Record<string, string> = {
  'src/app/cli.ts': 'the version in the package’s own package.json',
  'src/base/process-state.ts': 'the kernel’s own words about a process',
  'src/bridge/persist/host-rows.ts': 'reports, checked when they came in',
  'src/mount/metadata/carried.ts': 'what this program wrote in its own transaction',
  'src/mount/metadata/names.ts': 'arrays that SQLite made of integers',
  'src/mount/portable/thread-memory.ts': 'memory of this process, believed only where it shows what is known',
  'src/mount/sync/snapshotter.ts': 'a hint in the ledger, of which anything but a counter counts as nothing',
}

t.test('every file that takes bytes apart is attacked', async (t) => {
  const named = new Set(targets.flatMap((target) => target.of))
  const files = readSource().filter((file) => decodes.test(codeOnly(file.text)))
  t.ok(files.length > 20, 'the pattern finds decoders')
  t.same(
    files.map((file) => file.name).filter((name) => !named.has(name) && exempt[name] === undefined),
    [],
    'name it in the `of` of a target in test/hostile/targets, or say here why nothing from outside comes there',
  )
  const all = new Set(readSource().map((file) => file.name))
  t.same(
    [...named, ...Object.keys(exempt)].filter((name) => !all.has(name)),
    [],
    'targets name files that exist',
  )
})

t.test(
  'each target has a name of its own, each group a test, and two thousand inputs are what each gets',
  async (t) => {
    const names = targets.map((target) => target.name)
    t.same(
      names.filter((name, at) => names.indexOf(name) !== at),
      [],
    )
    t.same(
      Object.keys(groups).filter((group) => !fs.existsSync(`test/hostile/${group}.test.ts`)),
      [],
    )
    t.ok(planOf({}).count >= 2_000)
  },
)
