import t from 'tap'
import { bridgeLine, hostLine, mountLine } from '../../../src/app/service-lines.js'
import { takeServiceManager } from '../../../src/app/service-notify.js'
import { AppError } from '../../../src/base/errors.js'
import { DrivenClock } from '../../support/driven-clock.js'

const PID = 4_711
const MINUTE_USEC = '60000000'

function managed(env: Record<string, string | undefined>, errnos: number[] = []) {
  const sent: string[] = []
  const clock = new DrivenClock()
  const variables: Record<string, string | undefined> = { HOME: '/x', ...env }
  const send = (socket: string, text: string): number => {
    const errno = errnos.shift() ?? 0
    if (errno === 0) sent.push(`${socket} ${text.replaceAll('\n', ' ')}`)
    return errno
  }
  const manager = takeServiceManager(variables, { clock, send, pid: PID })
  const alive = () => sent.filter((one) => one === '/n WATCHDOG=1').length
  return { manager, sent, clock, variables, alive }
}

t.test('its variables leave the environment, so that no child speaks in our name', async (t) => {
  const { variables } = managed({ NOTIFY_SOCKET: '/n', WATCHDOG_USEC: MINUTE_USEC, WATCHDOG_PID: String(PID) })
  t.same(variables, { HOME: '/x' })
})

t.test('without a socket, or with a name that is none, nothing is said and nobody is asked', async (t) => {
  for (const env of [
    {},
    { NOTIFY_SOCKET: '' },
    { NOTIFY_SOCKET: 'relative' },
    { NOTIFY_SOCKET: '@' },
    { NOTIFY_SOCKET: 'vsock:2' },
  ]) {
    const { manager, sent, clock } = managed({ ...env, WATCHDOG_USEC: MINUTE_USEC })
    await manager.ready(() => Promise.reject(new Error('asked')))
    manager.tell('x')
    manager.stopping()
    await clock.advance(120_000)
    t.same(sent, [])
    t.equal(manager.keepAliveMs, null)
  }
})

t.test('a watchdog for another process, or a senseless one, is not ours; its line is told all the same', async (t) => {
  for (const env of [
    { WATCHDOG_USEC: MINUTE_USEC, WATCHDOG_PID: '1' },
    { WATCHDOG_USEC: '0' },
    { WATCHDOG_USEC: 'soon' },
    {},
  ]) {
    const { manager, sent, clock, alive } = managed({ NOTIFY_SOCKET: '/n', ...env })
    let asked = 0
    await manager.ready(async () => `asked ${++asked}`)
    await clock.advance(60_000)
    t.equal(alive(), 0)
    t.same(sent, ['/n READY=1 STATUS=asked 1', '/n STATUS=asked 2', '/n STATUS=asked 3'])
    manager.stopping()
  }
})

t.test('each keep-alive is an answer of the vital part; a part that hangs gets none, and that is said', async (t) => {
  const { manager, sent, clock, alive } = managed({ NOTIFY_SOCKET: '/n', WATCHDOG_USEC: MINUTE_USEC })
  const waiting: (() => void)[] = []
  let hangs = false
  const vital = async () => {
    if (hangs) await new Promise<void>((resolve) => waiting.push(resolve))
    return 'well'
  }
  await manager.ready(vital)
  await clock.advance(60_000)
  t.equal(alive(), 3, 'three in the time of one')
  hangs = true
  await clock.advance(600_000)
  t.equal(alive(), 3)
  t.equal(waiting.length, 1, 'it is not asked again before it has answered')
  t.match(sent.at(-1), /STATUS=hangs/)
  hangs = false
  for (const release of waiting) release()
  await clock.advance(0)
  t.equal(alive(), 4, 'an answer that comes late is a sign of life')
  t.match(sent.at(-2), /STATUS=well/)
  await clock.advance(20_000)
  t.equal(alive(), 5)
  manager.stopping()
  await clock.advance(600_000)
  t.match(sent.at(-1), /STOPPING=1 STATUS=ending/, 'and nothing behind the end')
})

t.test('a part that says that it is not well gets no keep-alive', async (t) => {
  const { manager, sent, clock, alive } = managed({ NOTIFY_SOCKET: '/n', WATCHDOG_USEC: MINUTE_USEC })
  let failing = false
  await manager.ready(async () => {
    if (failing) throw new AppError('ledger-stopped', 'the ledger has stopped')
    return 'well'
  })
  failing = true
  await clock.advance(120_000)
  t.equal(alive(), 0)
  t.match(sent.at(-1), 'STATUS=not well: the ledger has stopped [ledger-stopped]')
  manager.failed(new AppError('ledger-stopped', 'the ledger has stopped', { hint: 'report\nit' }))
  t.match(sent.at(-1), 'STATUS=failed: the ledger has stopped [ledger-stopped]; what to do: report it')
})

t.test('READY=1 is sent again while the queue of the manager is full', async (t) => {
  const { manager, sent, clock } = managed({ NOTIFY_SOCKET: '/n' }, [11, 11])
  const ready = manager.ready(async () => 'well')
  await clock.advance(300)
  await ready
  t.same(sent, ['/n READY=1 STATUS=well'])
  manager.stopping()
})

t.test('a line is one line, short, and cannot smuggle another word in', async (t) => {
  const { manager, sent } = managed({ NOTIFY_SOCKET: '/n' })
  manager.tell(`a\nWATCHDOG=1\u001b ${'x'.repeat(5_000)}`)
  t.match(sent[0], /^\/n STATUS=a WATCHDOG=1\\u001b x+$/)
  t.ok((sent[0] as string).length < 600)
})

t.test('each mode says how it goes in words', async (t) => {
  const host = {
    registered: true,
    readOnly: false,
    capacityBytes: 2 ** 40,
    shards: 3,
    liveBytes: 2 ** 20,
    freeBytes: 2 ** 30,
  }
  t.equal(hostLine(host), 'serves 3 shards, 1.0 MiB of 1.0 TiB; 1.0 GiB free; the bridge knows it')
  t.match(hostLine({ ...host, registered: false, readOnly: true }), /READ-ONLY.*not answered yet/)
  t.equal(bridgeLine('http://b', 1), 'answers at http://b; 1 host online')
  const mount = { mountPoint: '/m', readOnly: null, localBytes: 0, connected: true }
  t.equal(mountLine(mount), 'mounted at /m; all is stored; bridge connected')
  t.equal(
    mountLine({ ...mount, localBytes: 1_536, connected: false }),
    'mounted at /m; 1.5 KiB not stored yet; the bridge is away',
  )
  t.match(mountLine({ ...mount, readOnly: 'another device writes' }), /READ-ONLY: another device writes/)
})
