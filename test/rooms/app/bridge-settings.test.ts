import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { rememberBridge, settleBridge } from '../../../src/app/bridge-settings.js'
import { systemRandom } from '../../../src/base/random.js'
import { loadBridgeKey } from '../../../src/bridge/bridge-key.js'

t.test('what was said once holds, what is said now is remembered', async (t) => {
  const dir = t.testdir()
  const scheme = { dataShards: 2, totalShards: 3 }
  const first = settleBridge(dir, { listen: '127.0.0.1:0', policy: 'single-machine', scheme })
  rememberBridge(dir, first, 7_401)
  t.match(settleBridge(dir, {}), { listen: '127.0.0.1:7401', policy: 'single-machine', scheme })
  t.match(settleBridge(dir, { policy: 'standard' }), { policy: 'standard', scheme })
  rememberBridge(dir, { ...first, behindProxy: true, ice: ['stun:stun.example'] }, 7_401)
  t.match(settleBridge(dir, {}), { behindProxy: true, ice: ['stun:stun.example'] })
  t.match(settleBridge(dir, { behindProxy: false }), { behindProxy: false })
})

t.test('an address that is none is told as that, said or kept', async (t) => {
  const dir = t.testdir()
  t.throws(() => settleBridge(dir, { publicUrl: 'not an address' }), { code: 'bridge-url' })
  const kept = { version: 1, listen: '127.0.0.1:1', policy: 'standard', dataShards: 1, totalShards: 2, publicUrl: 'x' }
  fs.writeFileSync(path.join(dir, 'bridge.json'), JSON.stringify(kept))
  t.throws(() => settleBridge(dir, {}), { code: 'bridge-url' })
})

t.test('files of a bridge that are folders are told by their codes', async (t) => {
  const dir = t.testdir({ 'bridge.json': {}, 'bridge.key': {} })
  t.throws(() => settleBridge(dir, {}), { code: 'malformed' })
  fs.chmodSync(path.join(dir, 'bridge.key'), 0o700)
  t.throws(() => loadBridgeKey(dir, systemRandom), { code: 'bridge-key-broken' })
})
