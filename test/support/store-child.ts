/**
 * A process of its own that puts (and then removes) shards, for tests that kill it:
 * node store-child.js DIR FIRST COUNT [remove]. Prints `ack N` when N is done.
 */
import fs from 'node:fs'
import { openStore, orderOf, sizeOfShard } from './host-folder.js'

const [dir = '', first = '0', count = '0', mode = 'put'] = process.argv.slice(2)
const store = await openStore(dir)
const numbers = Array.from({ length: Number(count) }, (_, i) => Number(first) + i)
await Promise.all(
  numbers.map(async (number) => {
    const { order, payload } = await orderOf(number, sizeOfShard(number), { serial: serialOf(number, mode) })
    if (mode === 'remove') await store.remove(order)
    else await store.put(order, payload)
    fs.writeSync(1, `ack ${number}\n`)
  }),
)
await store.stop()

function serialOf(number: number, how: string): number {
  return how === 'remove' ? 500_000 + number : number
}
