/** What `host doctor` advises behind every kind of router: it must be what is wrong there, and nothing else. */
import t from 'tap'
import { HOST_UDP_PORT, type NatHost, NatLab } from '../support/nat-lab.js'
import { NAT_KINDS, type NatKind, NatNetwork } from '../support/nat-network.js'

t.setTimeout(200_000)

interface Check {
  name: string
  state: 'ok' | 'warn' | 'fail'
  detail: string
  hint?: string
}

/** Another host than that of connections.test.ts: no port that the router keeps for it. */
const FORWARD = new RegExp(`forward UDP port ${HOST_UDP_PORT} on your router to this machine`)
/** Everything else must be `ok`, and the exit code 0 unless something failed. */
const EXPECTED: Record<NatKind, Record<string, { state: Check['state']; detail: RegExp; hint?: RegExp }>> = {
  open: {
    'public address': { state: 'ok', detail: /no NAT/ },
    'from outside': { state: 'ok', detail: /packets of strangers arrive/ },
    'UDP port': { state: 'ok', detail: /7411, and so outside/ },
    connection: { state: 'ok', detail: /the bridge connects directly/ },
  },
  'full-cone': {
    'public address': { state: 'ok', detail: /of a router \(NAT\)/ },
    NAT: { state: 'ok', detail: /endpoint-independent/ },
    'from outside': { state: 'ok', detail: /packets of strangers arrive/ },
    'UDP port': { state: 'ok', detail: /7411, and so outside/ },
    connection: { state: 'ok', detail: /the bridge connects directly/ },
  },
  'port-restricted': {
    NAT: { state: 'ok', detail: /endpoint-independent/ },
    'from outside': { state: 'warn', detail: /strangers do not arrive/, hint: FORWARD },
    'UDP port': { state: 'ok', detail: /7411, and so outside/ },
    connection: { state: 'ok', detail: /the bridge connects directly/ },
  },
  symmetric: {
    NAT: { state: 'warn', detail: /symmetric/, hint: FORWARD },
    'from outside': { state: 'warn', detail: /strangers do not arrive/, hint: FORWARD },
    'UDP port': { state: 'warn', detail: /7411, but \d+ outside/, hint: FORWARD },
    connection: { state: 'ok', detail: /the bridge connects directly/ },
  },
  blocked: {
    UDP: { state: 'fail', detail: /no STUN server answers/, hint: /your network blocks UDP: Shardrive cannot serve/ },
  },
}

const missing = NatNetwork.missing()
if (missing !== undefined) {
  console.error(`NAT lab skipped: ${missing}`)
  t.test('what the doctor advises', { skip: `no NAT lab here: ${missing}` }, async () => {})
} else {
  await runLab()
}

async function runLab(): Promise<void> {
  const lab = await NatLab.start(t)
  const hosts = await Promise.all(NAT_KINDS.map((kind) => lab.initHost(lab.network.addSite(kind, HOST_UDP_PORT))))
  const stopped = await Promise.all(hosts.map((host) => examine(lab, host)))

  for (const [at, { kind }] of hosts.entries()) {
    t.test(`a stopped host, ${kind}`, async (t) => {
      const { status, checks } = stopped[at] as Examined
      t.equal(status, kind === 'blocked' ? 5 : 0, 'exit code')
      for (const { name, state, detail, hint } of checks) {
        const wanted = EXPECTED[kind][name]
        t.equal(state, wanted?.state ?? (name === 'disk' ? state : 'ok'), `${name}: ${detail}`)
        if (wanted !== undefined) t.match(detail, wanted.detail)
        if (wanted?.hint !== undefined) t.match(hint, wanted.hint)
      }
      const names = checks.map((one) => one.name)
      t.same(
        Object.keys(EXPECTED[kind]).filter((name) => !names.includes(name)),
        [],
      )
      t.same(names.slice(0, 4), ['host', 'disk', 'bridge', 'clock'])
    })
  }

  t.test('a running host keeps its port and its line: the bridge dials the host itself', async (t) => {
    const host = hosts.find((one) => one.kind === 'full-cone') as NatHost
    const running = await lab.startHost(host)
    const { status, checks } = await examine(lab, host)
    t.equal(status, 0)
    const of = (name: string) => checks.find((one) => one.name === name)
    t.match(of('host')?.detail, /running/)
    t.match(of('connection')?.detail, new RegExp(`directly in \\d+ ms, at ${host.publicAddress}:${HOST_UDP_PORT}`))
    t.match(of('UDP port')?.detail, /7411, and so outside/)
    t.match(of('from outside')?.detail, /not tried: .*stop the host/)
    t.equal(running.hasEnded, false)
  })
}

interface Examined {
  status: number
  checks: Check[]
}

async function examine(lab: NatLab, host: NatHost): Promise<Examined> {
  const ran = await lab.shardrive(host, ['host', 'doctor', '--dir', host.dir, '--json'])
  if (!ran.stdout.startsWith('{"checks"')) throw new Error(`${ran.stdout}${ran.stderr}`)
  return { status: ran.status, checks: JSON.parse(ran.stdout).checks }
}
