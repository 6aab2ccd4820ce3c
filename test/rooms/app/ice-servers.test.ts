import t from 'tap'
import { iceServersOf } from '../../../src/app/ice-servers.js'
import { AppError } from '../../../src/base/errors.js'
import { silentLog } from '../../../src/base/log.js'

t.test('a bridge that is away is asked again with the next connection', async (t) => {
  let calls = 0
  const client = {
    info: async () => {
      calls += 1
      if (calls === 1) throw new AppError('bridge-unreachable', 'away', { retry: 'later' })
      return { ice: ['stun:127.0.0.1:1'] }
    },
  }
  const servers = iceServersOf(client, silentLog)
  t.same([await servers(), await servers(), await servers()], [[], ['stun:127.0.0.1:1'], ['stun:127.0.0.1:1']])
  t.equal(calls, 2, 'what is known is not asked again')
})

t.test('a bridge that is not ours is an error, not one that is away', async (t) => {
  const client = {
    info: async () => {
      throw new AppError('bridge-signature', 'another key')
    },
  }
  await t.rejects(iceServersOf(client, silentLog)(), { code: 'bridge-signature' })
})
