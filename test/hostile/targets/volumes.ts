/** A host's volume, damaged anywhere: walked through by itself, and as a start of the store finds it. */
import fs from 'node:fs'
import path from 'node:path'
import { AppError, codeOf } from '../../../src/base/errors.js'
import { shardTree } from '../../../src/crypto/merkle.js'
import { recordBytes, VOLUME_HEADER_BYTES } from '../../../src/host/shards/offsets.js'
import { RECORD_TYPE } from '../../../src/host/shards/record.js'
import { type Scanned, scanVolume } from '../../../src/host/shards/scan.js'
import type { PutOrder } from '../../../src/host/shards/store-parts.js'
import { volumeKey } from '../../../src/host/shards/volume-header.js'
import { idBytes } from '../../../src/model/ids.js'
import type { Dice } from '../../support/dice.js'
import { countersAgree, HOST_SEED, openStore, orderOf, readWhole, volumeFile } from '../../support/host-folder.js'
import { noiseBytes } from '../../support/noise.js'
import { rampBytes } from '../../support/ramp.js'
import { scratchFolder } from '../../support/scratch-folder.js'
import { secretOf } from '../../support/secrets.js'
import { type Opened, spoilBytes, type Target } from '../target.js'

interface Stored {
  order: PutOrder
  payload: Buffer
}

const SIZES = [30, 90, 13]

/** Three small shards, and one of them again in a later generation. */
async function soundVolume(folder: string): Promise<{ bytes: Buffer; stored: Stored[] }> {
  const store = await openStore(folder)
  const stored: Stored[] = []
  for (const [at, size] of SIZES.entries()) {
    const one = await orderOf(at + 1, size)
    await store.put(one.order, one.payload)
    stored.push(one)
  }
  await store.put((await orderOf(2, 90, { generation: 2 })).order, rampBytes(2, 90))
  await store.stop()
  return { bytes: fs.readFileSync(volumeFile(folder)), stored }
}

/** Beside the usual changes: a record is missing in part, or other bytes are in its place. */
function spoilVolume(dice: Dice, samples: readonly Buffer[]): Buffer {
  if (dice.roll(0, 4) > 0) return spoilBytes(dice, samples)
  const sound = dice.pick(samples)
  const at = VOLUME_HEADER_BYTES + dice.pick([0, recordBytes(30), recordBytes(30) + recordBytes(90)])
  return Buffer.concat([sound.subarray(0, at), dice.bytes(dice.roll(0, 300)), sound.subarray(at + dice.roll(0, 200))])
}

/** What a file handle is to who only reads: no disk, and no thread, in between. */
function handleOf(bytes: Buffer): fs.promises.FileHandle {
  const read = async (into: Buffer, offset: number, length: number, position: number) => {
    const part = bytes.subarray(position, position + length)
    part.copy(into, offset)
    return { bytesRead: part.length, buffer: into }
  }
  return { read } as unknown as fs.promises.FileHandle
}

/** Every byte is accounted for, in order; what passes for a sound shard is one that was written, to the byte. */
function volumeScanned(): Target {
  const open = async (): Promise<Opened> => {
    const { folder, remove } = scratchFolder()
    const { bytes, stored } = await soundVolume(folder)
    remove()
    const key = volumeKey(secretOf(HOST_SEED), 1)
    const written = new Set(stored.map(({ order, payload }) => `${order.shard} ${payload.length}`))
    return {
      samples: [bytes],
      spoil: spoilVolume,
      take: async (input) => {
        const verify = async (payload: Buffer, record: { shard: string }) =>
          (await shardTree(payload)).id.equals(idBytes(record.shard))
        const scan = scanVolume(handleOf(input), { key, from: VOLUME_HEADER_BYTES, size: input.length, verify })
        const found: Scanned[] = []
        for (let next = await scan.next(); ; next = await scan.next()) {
          if (!next.done) found.push(next.value)
          else {
            found.push(...next.value)
            break
          }
        }
        let at = VOLUME_HEADER_BYTES
        for (const one of found) {
          if (one.offset !== at) throw new Error(`at ${one.offset}, expected ${at}`)
          at += one.bytes
          if (one.what === 'damage' || one.damaged || one.record.type !== RECORD_TYPE.shard) continue
          if (!written.has(`${one.record.shard} ${one.record.length}`))
            throw new Error('a shard that was never written')
        }
        if (at !== Math.max(VOLUME_HEADER_BYTES, input.length)) throw new Error(`ends at ${at} of ${input.length}`)
        if (found.some((one) => one.what === 'damage' || one.damaged)) throw new AppError('shard-damaged', 'told')
      },
      codes: ['shard-damaged'],
      taken: 'sometimes',
    }
  }
  const of = ['scan', 'record'].map((name) => `src/host/shards/${name}.ts`)
  return { name: 'volume, walked through', of, is: ['file volume'], open }
}

/** A whole start: no crash, never a wrong byte, exact counters, and room for what comes. */
function volumeOnDisk(): Target {
  const open = async (): Promise<Opened> => {
    const { folder, remove } = scratchFolder()
    const { bytes, stored } = await soundVolume(path.join(folder, 'made'))
    const fresh = await orderOf(9, 400)
    let round = 0
    const dir = path.join(folder, 'spoilt')
    fs.mkdirSync(path.join(dir, 'volumes'), { recursive: true })
    const take = async (input: Buffer): Promise<void> => {
      fs.writeFileSync(volumeFile(dir), input)
      const store = await openStore(dir, { inMemory: true })
      try {
        for (const { order, payload } of stored) {
          const got = await readWhole(store, order).catch((error: unknown) => codeOf(error))
          if (typeof got === 'string' ? got === 'internal' : !got.equals(payload)) throw new Error(`wrong: ${got}`)
        }
        await store.put({ ...fresh.order, serial: noiseBytes(++round, 16).toString('hex') as never }, fresh.payload)
        if (!(await readWhole(store, fresh.order)).equals(fresh.payload)) throw new Error('a new shard')
        if (!countersAgree(store, dir)) throw new Error(`counters: ${JSON.stringify(store.totals())}`)
      } finally {
        await store.stop()
        // What it may have begun besides.
        fs.rmSync(volumeFile(dir, 2), { force: true })
      }
    }
    return {
      samples: [bytes],
      spoil: spoilVolume,
      take,
      codes: ['unsupported-version', 'host-folder-wrong'],
      // Damage is no refusal: what is whole is served. Only a header of a newer program, or of another host, ends the start.
      taken: 'mostly',
      close: remove,
    }
  }
  const of = ['recovery', 'volume-header', 'volume-files'].map((name) => `src/host/shards/${name}.ts`)
  return { name: 'volume on disk', of, open }
}

export const volumeTargets: readonly Target[] = [volumeScanned()]
/** Milliseconds each: for the long tests. Hundreds of them are in test/rooms/host/damage.test.ts. */
export const storeStartTargets: readonly Target[] = [volumeOnDisk()]
