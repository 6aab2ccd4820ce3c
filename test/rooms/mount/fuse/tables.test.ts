import os from 'node:os'
import t from 'tap'
import { AppError } from '../../../../src/base/errors.js'
import { ERRNO, errnoName, errnoOf } from '../../../../src/mount/fuse/errno.js'
import { parseMountInfo } from '../../../../src/mount/fuse/mount-table.js'
import { deletion, entryInvalidation, inodeInvalidation } from '../../../../src/mount/fuse/notifications.js'
import { body, u32, u64 } from '../../../support/kernel-requests.js'

t.test('errors of a file system become the numbers that programs expect', async (t) => {
  const numbers: Record<string, string> = {
    'not-found': 'ENOENT',
    exists: 'EEXIST',
    'not-empty': 'ENOTEMPTY',
    'not-a-directory': 'ENOTDIR',
    'is-a-directory': 'EISDIR',
    'name-too-long': 'ENAMETOOLONG',
    'no-space': 'ENOSPC',
    'quota-exceeded': 'EDQUOT',
    'read-only': 'EROFS',
    'invalid-argument': 'EINVAL',
    'not-permitted': 'EPERM',
    'access-denied': 'EACCES',
    'too-many-links': 'EMLINK',
    'not-supported': 'EOPNOTSUPP',
    'no-data': 'ENODATA',
    range: 'ERANGE',
    stale: 'ESTALE',
    busy: 'EBUSY',
    'cross-device': 'EXDEV',
    'file-too-large': 'EFBIG',
    interrupted: 'EINTR',
    'timed-out': 'EIO',
    offline: 'EIO',
    'too-many-open': 'ENFILE',
  }
  for (const [code, name] of Object.entries(numbers)) {
    t.equal(errnoName(errnoOf(new AppError(code, '')) ?? 0), name, code)
  }
})

t.test('other failures have no number of their own, not even one named like an object method', async (t) => {
  for (const failure of [
    new AppError('wrong-phrase', ''),
    new AppError('toString', ''),
    new Error('x'),
    'x',
    undefined,
  ]) {
    t.equal(errnoOf(failure), undefined)
  }
})

t.test('the numbers are those of this system', { skip: os.platform() !== 'linux' && 'Linux numbers' }, async (t) => {
  const known: Record<string, number> = os.constants.errno
  for (const [name, number] of Object.entries(ERRNO)) if (known[name] !== undefined) t.equal(number, known[name], name)
})

t.test('mounts are found under names with spaces, newlines and other letters', async (t) => {
  const lines = [
    '22 1 254:0 / / rw,relatime - ext4 /dev/root rw',
    '36 22 0:39 / /mnt/a\\040b\\012c\\134\u00c3\u00a9 rw,nosuid shared:1 master:2 - fuse.shardrive shardrive@12 rw,user_id=0',
    'broken',
    '',
  ]
  t.same(parseMountInfo(lines.join('\n')), [
    { device: '254:0', mountPoint: '/', type: 'ext4', source: '/dev/root' },
    { device: '0:39', mountPoint: '/mnt/a b\nc\\\u00e9', type: 'fuse.shardrive', source: 'shardrive@12' },
  ])
})

t.test('notifications are laid out as the kernel reads them', async (t) => {
  const name = Buffer.from('caf\xe9', 'latin1')
  const message = (code: number, content: Buffer): Buffer => body(u32(16 + content.length), u32(code), u64(0), content)
  t.strictSame(inodeInvalidation(2 ** 40, -1, 0), message(2, body(u64(2 ** 40), u64(-1), u64(0))))
  t.strictSame(entryInvalidation(9, name), message(3, body(u64(9), u32(4), u32(0), name, Buffer.alloc(1))))
  t.strictSame(deletion(9, 10, name), message(6, body(u64(9), u64(10), u32(4), u32(0), name, Buffer.alloc(1))))
})
