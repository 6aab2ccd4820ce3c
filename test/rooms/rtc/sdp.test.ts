import t from 'tap'
import { cleanSdp } from '../../../src/rtc/sdp.js'

const FINGERPRINT = Array.from({ length: 32 }, () => 'AB').join(':')
const LINES = [
  'v=0',
  'o=rtc 1 0 IN IP4 127.0.0.1',
  's=-',
  't=0 0',
  'a=group:BUNDLE 0',
  `a=fingerprint:sha-256 ${FINGERPRINT}`,
  'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
  'a=mid:0',
  'a=setup:active',
  'a=candidate:1 1 UDP 2114977791 127.0.0.1 43921 typ host',
  'a=end-of-candidates',
]
const sdpOf = (lines: string[]) => lines.map((line) => `${line}\r\n`).join('')

t.test('a plain description passes unchanged', async (t) => {
  t.equal(cleanSdp(sdpOf(LINES)), sdpOf(LINES))
})

t.test('candidates that are names or not UDP are left out, and there are at most sixteen', async (t) => {
  const more = [
    'a=candidate:2 1 UDP 1 internal.example 80 typ host',
    'a=candidate:3 1 TCP 1 127.0.0.1 80 typ host tcptype active',
    ...Array.from({ length: 40 }, (_, i) => `a=candidate:9 1 UDP 1 10.0.0.${i} 80 typ host`),
  ]
  const kept = cleanSdp(sdpOf([...LINES, ...more]))
    .split('\r\n')
    .filter((line) => line.startsWith('a=candidate'))
  t.equal(kept.length, 16)
  t.notOk(kept.some((line) => line.includes('example') || line.includes('TCP')))
})

t.test('a candidate that comes again and again comes once', async (t) => {
  const again = Array.from({ length: 100 }, () => LINES[9] as string)
  t.equal(cleanSdp(sdpOf([...LINES, ...again])), sdpOf(LINES))
})

t.test('what is no data-channel description is refused', async (t) => {
  const without = (start: string) => LINES.filter((line) => !line.startsWith(start))
  const wrong = [
    without('a=fingerprint'),
    without('m='),
    [...LINES, 'm=audio 9 UDP/TLS/RTP/SAVPF 111'],
    LINES.map((line) => line.replace('sha-256', 'sha-1')),
    LINES.map((line) => line.replace('m=application', 'm=video')),
    [...LINES, ...Array.from({ length: 200 }, () => 'a=x')],
  ]
  for (const lines of wrong) t.throws(() => cleanSdp(sdpOf(lines)), { code: 'malformed' })
})
