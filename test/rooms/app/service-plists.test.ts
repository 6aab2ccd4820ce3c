import fs from 'node:fs'
import t from 'tap'
import { KINDS, type Kind, type Order, wordsOf } from '../../../src/app/services/order.js'
import { plistText } from '../../../src/app/services/plist-text.js'
import { parsePlist } from '../../support/plist.js'
import { expectAccepted } from '../../support/service-words.js'

const shipped = (kind: Kind) => fs.readFileSync(`launchd/io.shardrive.${kind}.plist`, 'utf8')
const order = (kind: Kind, more: Partial<Order> = {}): Order => ({
  ...{
    kind,
    scope: 'system',
    manager: 'launchd',
    name: kind === 'mount' ? 'main' : null,
    words: [],
    runAs: null,
    forAll: false,
  },
  ...{ program: ['/usr/local/bin/shardrive'], dir: '/d', mountPoint: kind === 'mount' ? '/m' : null },
  ...more,
})

for (const kind of KINDS) {
  t.test(`the list of the ${kind} is one, starts a command that exists, and again after a failure`, async (t) => {
    const list = parsePlist(shipped(kind)) as Record<string, unknown>
    const [program, ...words] = list.ProgramArguments as string[]
    t.equal(program, '/usr/local/bin/shardrive')
    await expectAccepted(t, words)
    t.match(list, {
      Label: `io.shardrive.${kind}`,
      RunAtLoad: true,
      KeepAlive: { SuccessfulExit: false },
      ThrottleInterval: 60,
      Umask: 0o077,
      SoftResourceLimits: { Core: 0 },
    })
    t.match(list.StandardOutPath, /^\/.*\.log$/)
    t.equal(list.StandardErrorPath, list.StandardOutPath)
    const known =
      /^(Label|ProgramArguments|RunAtLoad|KeepAlive|ThrottleInterval|ExitTimeOut|Standard(Out|Error)Path|Umask|SoftResourceLimits|ProcessType)$/
    t.same(
      Object.keys(list).filter((key) => !known.test(key)),
      [],
      'keys that launchd.plist(5) does not have',
    )
  })

  t.test(`what is installed of the ${kind} is that list with program, folder and user of the order`, async (t) => {
    const strange = order(kind, {
      dir: '/srv/a & <b> $1',
      runAs: kind === 'mount' ? null : 'alice',
      program: ['/n', '/main.js'],
    })
    const list = parsePlist(plistText(shipped(kind), strange, '/log & x.log')) as Record<string, unknown>
    t.same(list.ProgramArguments, ['/n', '/main.js', ...wordsOf(strange)])
    t.equal(list.StandardOutPath, '/log & x.log')
    t.equal(list.UserName, kind === 'mount' ? undefined : 'alice')
  })
}

t.test('the reader of lists is strict', async (t) => {
  const [head = '', body = ''] = shipped('host').split('<plist version="1.0">')
  t.ok(parsePlist(`${head}<plist version="1.0">${body}`))
  for (const wrong of [
    `${head}<plist version="1.0">${body}x`,
    `${head}<plist version="1.0">${body.replace('</dict>', '')}`,
    `${head}<plist version="1.0">${body.replace('<true/>', '<yes/>')}`,
    `${head}<plist version="1.0">${body.replace('<key>Label', '<key>Umask')}`,
    `${head}<plist version="1.0">${body.replace('io.shardrive', 'io & shardrive')}`,
    body,
  ]) {
    t.throws(() => parsePlist(wrong))
  }
})
