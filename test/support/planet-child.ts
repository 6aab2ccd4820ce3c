/** A year of the planet in a process of its own: node planet-child.js DIR OPTIONS. Sends lines, then the result. */
import { fileURLToPath } from 'node:url'
import { passYear, type YearOptions } from './planet-year.js'
import { readAtOnce } from './quick-disk.js'

const [dir = '', options = '{}'] = process.argv.slice(2)
const say = (line: string) => process.send?.({ line })
await readAtOnce(fileURLToPath(import.meta.url))
const result = await passYear(dir, { ...(JSON.parse(options) as Omit<YearOptions, 'say'>), say })
process.send?.({ result })
process.disconnect?.()
