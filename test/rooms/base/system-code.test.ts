import { constants } from 'node:os'
import t from 'tap'
import { saysFull, systemCode } from '../../../src/base/system-code.js'

/** As Node tells an error whose number libuv has no name for. */
const unnamed = (errno: number) => Object.assign(new Error('UNKNOWN: unknown error'), { code: 'UNKNOWN', errno })

t.test('a used-up quota is a full disk, though Node has no name for it', async (t) => {
  t.ok(saysFull(unnamed(-constants.errno.EDQUOT)))
  t.equal(systemCode(unnamed(-constants.errno.EDQUOT)), 'EDQUOT')
  t.ok(saysFull(Object.assign(new Error('full'), { code: 'ENOSPC', errno: -constants.errno.ENOSPC })))
  t.notOk(saysFull(unnamed(-constants.errno.ESTALE)))
})

t.test('a file system that met damage is named; what nobody knows stays unknown', async (t) => {
  t.equal(systemCode(unnamed(-117)), 'EUCLEAN')
  t.equal(systemCode(unnamed(-99_999)), 'UNKNOWN')
  t.equal(systemCode(new Error('of a program')), undefined)
  t.equal(systemCode(null), undefined)
})
