/** A process with a bridge in it: appends a confirming record until a failpoint kills it (folder in argv). */
import { World } from './bridge-world.js'
import { segmentNamed } from './named.js'

const world = await World.start(process.argv[2] as string)
const hosts = await world.hosts(8)
const drive = await world.drive('a')
await drive.claim()
for (let at = 0; at < 5; at++) {
  const segment = segmentNamed(String(at))
  await drive.store(segment, hosts)
  const retire = at === 0 ? [] : [segmentNamed(String(at - 1)).segment]
  await drive.append(drive.epoch({ confirm: [segment.segment], retire }))
  process.stdout.write(`${drive.state.head.sequence}\n`)
}
process.exit(3)
