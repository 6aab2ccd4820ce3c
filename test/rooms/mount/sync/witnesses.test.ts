import t from 'tap'
import { AppError } from '../../../../src/base/errors.js'
import { silentLog } from '../../../../src/base/log.js'
import { type HostId, hostId } from '../../../../src/model/ids.js'
import { HeadWitnesses } from '../../../../src/mount/sync/witnesses.js'
import { pseudonymOf } from '../../../../src/permits/pseudonym.js'
import { signWitness } from '../../../../src/permits/witness.js'
import { decodePutWitnessRequest, encodeGetWitnessReply, METHOD } from '../../../../src/wire/methods.js'
import { ChainDouble, DRIVE } from '../../../support/chain-double.js'
import { DrivenClock } from '../../../support/driven-clock.js'
import { keyOf } from '../../../support/named.js'

const self = keyOf('device')
const hosts = Array.from({ length: 4 }, (_, at) => hostId(keyOf(`host ${at}`).id))
const never = new AbortController().signal

function bench() {
  const chain = new ChainDouble(self)
  chain.claim(self)
  const clock = new DrivenClock()
  const kept = new Map<HostId, Buffer>()
  const gone = new Set<HostId>()
  let puts = 0
  const peers = {
    connected: () => hosts.filter((host) => !gone.has(host)),
    request: async (host: HostId, request: { method: number; head: Buffer }) => {
      if (gone.has(host)) throw new AppError('peer-unreachable', 'gone')
      if (request.method === METHOD.putWitness) {
        puts++
        kept.set(host, Buffer.from(decodePutWitnessRequest(request.head).witness))
        return { head: Buffer.alloc(0) }
      }
      return { head: encodeGetWitnessReply(kept.get(host) ?? null) }
    },
  }
  const witnesses = new HeadWitnesses({
    ...{ drive: DRIVE, device: self, peers, clock, log: silentLog },
    token: async () => Buffer.alloc(297),
    hashAt: async (sequence) => chain.records[sequence]?.hash ?? null,
  })
  const keep = (host: HostId, sequence: number, hash: Buffer, key = self) => {
    const fields = { pseudonym: pseudonymOf(DRIVE, host), sequence, hash, timeMs: 1 }
    kept.set(host, Buffer.from(signWitness(fields, key)))
  }
  return { chain, clock, kept, gone, witnesses, keep, puts: () => puts }
}

t.test('what was left on hosts is found again, and the newest that agrees is named', async (t) => {
  const { chain, witnesses, keep } = bench()
  t.equal(await witnesses.check(() => chain.state, hosts, never), null)
  t.equal(await witnesses.leave(chain.state.head, never), 3)
  keep(hosts[0] as HostId, 0, chain.records[0]?.hash as Buffer)
  t.match(await witnesses.check(() => chain.state, hosts, never), { sequence: 1 })
})

t.test('a bridge that went back or forked is found out by any one host', async (t) => {
  const { chain, witnesses, keep } = bench()
  keep(hosts[2] as HostId, 2, Buffer.alloc(32, 1))
  await t.rejects(
    witnesses.check(() => chain.state, hosts, never),
    { code: 'drive-rolled-back' },
  )
  keep(hosts[2] as HostId, 1, Buffer.alloc(32, 1))
  await t.rejects(
    witnesses.check(() => chain.state, hosts, never),
    { code: 'drive-forked' },
  )
  keep(hosts[2] as HostId, 0, Buffer.alloc(32, 1))
  await t.rejects(
    witnesses.check(() => chain.state, hosts, never),
    { code: 'drive-forked' },
    'an older record too',
  )
})

t.test('strangers, garbage and hosts that are gone say nothing', async (t) => {
  const { chain, witnesses, keep, kept, gone } = bench()
  keep(hosts[0] as HostId, 9, Buffer.alloc(32, 1), keyOf('stranger'))
  kept.set(hosts[1] as HostId, Buffer.alloc(166, 7))
  gone.add(hosts[2] as HostId)
  t.equal(await witnesses.check(() => chain.state, hosts, never), null)
})

t.test('a burst of epochs leaves the first and the last; the end does not wait', async (t) => {
  const { chain, clock, witnesses, puts } = bench()
  for (let at = 0; at < 20; at++) witnesses.leaveSoon(chain.state.head, never)
  await clock.advance(1_000)
  t.equal(puts(), 3)
  for (let at = 0; at < 20; at++) witnesses.leaveSoon(chain.state.head, never)
  await clock.advance(16_000)
  t.equal(puts(), 6)
  witnesses.leaveSoon(chain.state.head, never)
  await witnesses.leaveLast(never)
  t.equal(puts(), 9)
})
