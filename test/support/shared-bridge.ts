/** One bridge with hosts and a drive for many attacks: the first asks for it, the test file closes it. */
import path from 'node:path'
import Database from 'better-sqlite3'
import type { BridgeService } from '../../src/bridge/api/service.js'
import { type TestDrive, type TestHost, World } from './bridge-world.js'
import { capturedLog } from './captured-log.js'
import { keyOf, segmentNamed } from './named.js'
import { scratchFolder } from './scratch-folder.js'

export interface SharedBridge {
  world: World
  service: BridgeService
  hosts: TestHost[]
  /** Its writer term is claimed, and one segment is placed. */
  drive: TestDrive
  /** Of a host of that segment. */
  receipt: Buffer
  /** Of that host's failures. */
  transcript: number
  said(): string
  /** Changes whenever anything in the database does. */
  version(): string
}

let opening: Promise<SharedBridge> | null = null
let close: () => Promise<void> = async () => {}

export function sharedBridge(): Promise<SharedBridge> {
  opening ??= open()
  return opening
}

export async function closeSharedBridge(): Promise<void> {
  await opening?.catch(() => undefined)
  await close()
}

async function open(): Promise<SharedBridge> {
  const { folder, remove } = scratchFolder()
  const { log, text } = capturedLog()
  let service!: BridgeService
  const around = (plain: BridgeService) => {
    service = plain
    return plain
  }
  const config = { repair: { workers: [keyOf('worker').id] } }
  const world = await World.start(folder, { around, log, config })
  const database = new Database(path.join(folder, 'bridge.db'), { readonly: true })
  close = async () => {
    database.close()
    await world.stop()
    remove()
  }
  const hosts = await world.hosts(8)
  const drive = await world.drive('a')
  await drive.claim()
  const [grant] = await drive.place(segmentNamed('placed'))
  const row = grant?.hosts[0]
  const receipt = hosts.find((one) => one.id === row?.host)?.receiptFor(row?.token as Buffer) as Buffer
  const transcript = keepTranscript(folder, hosts[0] as TestHost)
  const version = () => String(database.pragma('data_version', { simple: true }))
  return { world, service, hosts, drive, receipt, transcript, said: text, version }
}

function keepTranscript(folder: string, { id }: TestHost): number {
  const database = new Database(path.join(folder, 'bridge.db'))
  const text = 'INSERT INTO transcripts (host_row, at, body) SELECT id, 1, zeroblob(9) FROM hosts WHERE host = ?'
  const { lastInsertRowid } = database.prepare(text).run(Buffer.from(id, 'hex'))
  database.close()
  return Number(lastInsertRowid)
}
