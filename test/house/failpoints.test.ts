import fs from 'node:fs'
import t from 'tap'
import { FIRST_POINTS, LOCAL_POINTS, NET_POINTS, RECOVERY_POINTS, TAKEN } from '../support/crash-points.js'
import { readSource } from './source.js'

/** Of the drive and what it stands on; hosts and bridge have tests of their own that name theirs. */
const ROOMS = /^src\/(?:mount|sqlite|base|app)\//
const source = readSource().filter(({ name }) => ROOMS.test(name))
const passed = source.flatMap(({ text }) =>
  [...text.matchAll(/\bfailpoint\(['`]([^'`]+)['`]\)/g)].map((found) => found[1] as string),
)
/** All calls of the ledger have one, named after the call. */
const names = passed.map((name) => name.replace(/\$\{.*\}$/, '*'))

t.test('failpoints of the drive are named HOUSE.STEP.MOMENT, each in one place', async (t) => {
  t.same(
    names.filter((name) => !/^[a-z]+\.[a-z]+\.(?:[a-z-]+|\*)$/.test(name)),
    [],
  )
  t.same(
    names.filter((name, at) => names.indexOf(name) !== at),
    [],
    'a count of passes means one place',
  )
})

t.test('docs/durability.md has each of them, and no other', async (t) => {
  const lines = fs.readFileSync('docs/durability.md', 'utf8').split('\n')
  const told = lines.flatMap((line) =>
    line.startsWith('| `') ? [...(line.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)] : [],
  )
  t.same(told.map((found) => found[1]).sort(), [...names].sort())
})

t.test('crash tests kill at failpoints that are there', async (t) => {
  const killed = [...FIRST_POINTS, ...LOCAL_POINTS, ...NET_POINTS, ...TAKEN].map(({ name }) => name)
  const isThere = (name: string) =>
    names.includes(name) || (name.startsWith('mount.call.') && names.includes('mount.call.*'))
  t.same(
    [...killed, ...RECOVERY_POINTS].filter((name) => !isThere(name)),
    [],
  )
})
