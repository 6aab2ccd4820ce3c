/**
 * Prints what a plan has left in a folder of a mount, as JSON: for each file its name, key and length. Ends with 1 and says where
 * when a byte is not the one that its key and place demand. argv MOUNT FOLDER.
 */
import fs from 'node:fs'
import path from 'node:path'
import { rampBytes } from './ramp.js'

const [mount = '', folder = ''] = process.argv.slice(2)
const keysOfWords = new Map<number, number>()
for (let key = 1; key < 100_000; key++) keysOfWords.set((key * 2_654_435_761) >>> 0, key)

const found: [string, number, number][] = []
for (const name of list(folder)) {
  const bytes = fs.readFileSync(path.join(mount, name))
  const key = bytes.length < 8 ? 0 : (keysOfWords.get(bytes.readUInt32LE(0)) ?? -1)
  if (key < 0) stop(`${name} (${bytes.length} bytes) begins with ${bytes.subarray(0, 16).toString('hex')}`)
  // A plan writes and leaves eight bytes or more, or none.
  if (key === 0 && bytes.length > 0) stop(`${name} has ${bytes.length} bytes`)
  if (key > 0) expectRamp(name, key, bytes)
  found.push([name, key, bytes.length])
}
console.log(JSON.stringify(found))

function list(place: string): string[] {
  const entries = fs.existsSync(path.join(mount, place))
    ? fs.readdirSync(path.join(mount, place), { withFileTypes: true })
    : []
  return entries.flatMap((entry) => (entry.isDirectory() ? list(`${place}/${entry.name}`) : [`${place}/${entry.name}`]))
}

function expectRamp(name: string, key: number, bytes: Buffer): void {
  const wanted = rampBytes(key, bytes.length)
  if (wanted.equals(bytes)) return
  const at = bytes.findIndex((byte, index) => byte !== wanted[index])
  stop(
    `${name}: ${bytes.length} bytes of key ${key}, wrong from ${at}: ${bytes.subarray(at, at + 16).toString('hex')} instead of ${wanted.subarray(at, at + 16).toString('hex')}`,
  )
}

function stop(message: string): never {
  console.error(message)
  process.exit(1)
}
