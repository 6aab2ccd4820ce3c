import { spawn } from 'node:child_process'
import path from 'node:path'
import t from 'tap'
import { sha256 } from '../../../src/crypto/hash.js'
import { driveId } from '../../../src/model/ids.js'
import { decodeRecord, splitRecords } from '../../../src/permits/chain-record.js'
import { World } from '../../support/bridge-world.js'
import { keyOf, segmentNamed } from '../../support/named.js'

const CHILD = path.join(import.meta.dirname, '../../support/bridge-child.js')

/** Runs until the third append dies at `place`; the sequence numbers that were acknowledged. */
async function runAndDie(dir: string, place: string): Promise<number[]> {
  // Claims and epochs pass the same place: the claim is the first, the third epoch the fourth.
  const env = { ...process.env, SHARDRIVE_FAILPOINT: `${place}:4` }
  const child = spawn(process.execPath, [CHILD, dir], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  child.stdout.on('data', (chunk) => {
    said += chunk
  })
  const signal = await new Promise<string | null>((resolve) => child.on('close', (_, by) => resolve(by)))
  if (signal !== 'SIGKILL') throw new Error(`the child ended by ${signal}`)
  return said.trim().split('\n').map(Number)
}

for (const [place, sequence] of [
  ['bridge-append-inside', 3],
  ['bridge-append-committed', 4],
  ['bridge-append-flushed', 4],
] as const) {
  t.test(
    `killed at ${place}: the record, what it confirms and what it retires are there together or not at all`,
    async (t) => {
      const dir = t.testdir()
      const acknowledged = await runAndDie(dir, place)
      t.same(acknowledged, [2, 3])
      const world = await World.start(dir)
      t.teardown(() => world.stop())
      const drive = driveId(sha256('drive a').subarray(0, 16))
      const client = world.client(keyOf('device a'))
      t.equal((await client.head(drive)).sequence, sequence)
      const records = splitRecords(await client.chainPage(drive, 0)).map(decodeRecord)
      t.equal(records.at(-1)?.sequence, sequence)
      t.ok((await client.head(drive)).hash.equals(records.at(-1)!.hash))
      const unconfirmed = sequence === 3 ? 1 : 0
      t.match(await client.health(drive), { segments: 1, full: 1, unconfirmed }, 'one confirmed, the older retired')
      const found = await client.locate(
        drive,
        [0, 1, 2].map((at) => segmentNamed(String(at)).segment),
      )
      t.equal(found.length, 3)
    },
  )
}
