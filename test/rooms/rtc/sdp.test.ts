import t from 'tap'
import { AppError } from '../../../src/base/errors.js'
import { cleanSdp } from '../../../src/rtc/sdp.js'
import { Dice, testSeed } from '../../support/dice.js'

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

t.test('2,000 mutated descriptions pass or are malformed', async (t) => {
  const seed = testSeed()
  t.comment(`SEED=${seed}`)
  const dice = new Dice(seed)
  const strange: unknown[] = []
  for (let i = 0; i < 2_000; i++) {
    const lines = dice.shuffle(LINES).slice(0, dice.roll(0, LINES.length))
    const text = [...sdpOf(lines)]
    for (let n = dice.roll(0, 5); n > 0 && text.length > 0; n--)
      text[dice.roll(0, text.length - 1)] = dice.pick([' ', '\n', ':', 'x', '='])
    try {
      cleanSdp(text.join(''))
    } catch (error) {
      if (!(error instanceof AppError && error.code === 'malformed')) strange.push(error)
    }
  }
  t.same(strange, [])
})
