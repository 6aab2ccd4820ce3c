/** A process with a bridge's audits in it: a host that lost shards is asked until a failpoint kills it (folder in argv). */
import { Lab, type LabHost } from './audit-lab.js'

const lab = await Lab.open(process.argv[2] as string, { hosts: 4, segments: 6 })
const host = lab.hosts[0] as LabHost
for (const shard of [...host.shards.keys()].slice(0, 2)) host.shards.delete(shard)
for (let nth = 0; nth < 4; nth++) {
  await lab.burst(host)
  process.stdout.write(`${JSON.stringify(await lab.standing(host))}\n`)
}
process.exit(3)
