/** What programs see through the portable door: what it keeps of docs/semantics.md, and what it refuses. */
import fs from 'node:fs'
import fsp from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import t from 'tap'
import { noPortableDoor } from '../support/portable.js'
import { driveOf, shell, startDrive } from './vfs-mount.js'

const skip = await noPortableDoor()
// Real programs on a shared machine.
t.setTimeout(180_000)

/** A Python program with its arguments, and a call of a system call that libc does not wrap. */
const python = (program: string) => `python3 - <<'END'
import ctypes, errno, fcntl, mmap, os, threading
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *args):
    if libc.syscall(number, *args) == 0: return 'done'
    return errno.errorcode[ctypes.get_errno()]
def attempt(work):
    try: return work()
    except OSError as error: return errno.errorcode[error.errno]
${program}
END
`

t.test('files, names, links, attributes and locks are what they are at the native door', { skip }, async (t) => {
  const { mount } = await driveOf(t, 'fuse-native')

  t.test('S-2 names and links are bytes', async (t) => {
    const out = await shell(
      mount,
      `mkdir names && cd names; printf x > "$(printf 'caf\\351')"; printf y > "$(printf '\\377\\376\\n')"
       long=$(printf '\\303%.0s' $(seq 255)); echo long > "$long"; cat "$long"; ! echo > "$long-" 2>/dev/null
       ls | LC_ALL=C sort | head -c 8 | od -An -tx1; rm "$long"; ls | wc -l
       ln -s "$(printf 'to/\\351')" link; readlink link | od -An -tx1; ln -s $(head -c 4095 /dev/zero | tr '\\0' a) far; readlink far | wc -c
       ! ln -s $(head -c 3000 /dev/zero | tr '\\0' '\\351') further 2>/dev/null`,
    )
    t.equal(out, 'long\n 63 61 66 e9 0a c3 c3 c3\n2\n 74 6f 2f e9 0a\n4096\n')
  })

  t.test('S-12 S-14 hard links are one file; offsets have 64 bits, to the largest file', async (t) => {
    const out = await shell(
      mount,
      `echo one > a; ln a b; echo two >> b; cat a; stat -c '%h %s' a b; [ $(stat -c %i a) = $(stat -c %i b) ]; rm a; stat -c %h b
       printf z | dd of=b bs=1 seek=10995116277760 conv=notrunc status=none; tail -c 1 b; stat -c ' %s' b
       truncate -s $((1<<52)) b; ! truncate -s $(((1<<52)+1)) b 2>/dev/null; head -c 8 b`,
    )
    t.equal(out, 'one\ntwo\n2 8\n2 8\n1\nz 10995116277761\none\ntwo\n')
  })

  t.test('S-6 extended attributes fit or say that they do not', async (t) => {
    const out = await shell(
      mount,
      `mkdir attributes && cd attributes; touch f; setfattr -n user.colour -v blue f; setfattr -n user.empty f
       getfattr -d f | grep user; ! setfattr -n system.posix_acl_access -v x f 2>/dev/null
       getfattr --only-values -n user.shardrive.state f; echo; setfattr -x user.empty f
       ${python(`
os.setxattr('f', 'user.big', b'v' * 65536)
print(len(os.getxattr('f', 'user.big')), attempt(lambda: os.getxattr('f', 'user.none')), sorted(os.listxattr('f')))
room = ctypes.create_string_buffer(9)
print(call(191, b'f', b'user.big', room, 9), call(194, b'f', room, 9), attempt(lambda: os.setxattr('f', b'user.\\xe9', b'')))
print(attempt(lambda: os.setxattr('f', 'user.colour', b'', os.XATTR_CREATE)))`)}`,
    )
    const said = "65536 ENODATA ['user.big', 'user.colour']\nERANGE ERANGE EINVAL\nEEXIST\n"
    t.equal(out, `user.colour="blue"\nuser.empty=""\nlocal\n${said}`)
  })

  t.test('S-4 both times are kept, in milliseconds; those before 1970 are refused', async (t) => {
    const out = await shell(
      mount,
      `touch f; ${python(`
os.utime('f', ns=(1_000_000_000_123_456_789, 1_100_000_000_987_654_321))
print(os.stat('f').st_atime_ns, os.stat('f').st_mtime_ns, attempt(lambda: os.utime('f', (5, -5))))`)}
       cp -a f copied; stat -c %.3Y copied; touch -d '2001-02-03 04:05:06.7 UTC' f; stat -c '%.3X %.3Y' f; touch f; [ $(stat -c %Y f) -gt 1700000000 ]`,
    )
    t.equal(out, '1000000000123000000 1100000000987000000 EINVAL\n1100000000.987\n981173106.700 981173106.700\n')
  })

  t.test('S-3 S-13 an open file that is removed or replaced keeps its bytes, and nothing of it is seen', async (t) => {
    const out = await shell(
      mount,
      `mkdir d && echo content > d/f && exec 3<> d/f && rm d/f && ls -A d && ! rmdir d 2>/dev/null && cat <&3 && echo more >&3
       stat -L -c %h /proc/self/fd/3; truncate -s 3 /proc/self/fd/3; stat -L -c %s /proc/self/fd/3; exec 3<&-; rmdir d
       echo old > x; ln x y; exec 4< x; echo new > z; mv z x; cat <&4; cat x y; stat -L -c %h /proc/self/fd/4; exec 4<&-; cat x y
       echo f > f; ! mv f .fuse_hidden0123456789abcdef 2>/dev/null; ! touch .fuse_hidden0123456789abcdef 2>/dev/null; cat f`,
    )
    t.equal(out, 'content\n0\n3\nold\nnew\nold\n1\nnew\nold\nf\n')
  })

  t.test('S-13 a name that is replaced again and again always leads to a whole file', async (t) => {
    const out = await shell(
      mount,
      `mkdir replaced && cd replaced; echo 0 > x; ${python(`
ended, read, gaps = False, 0, 0
def look():
    global read, gaps
    while not ended:
        # The name: whether it can be opened just then is another matter (docs/semantics.md).
        if 'x' not in os.listdir('.'): gaps += 1
        read += 1
looker = threading.Thread(target=look, daemon=True)
looker.start()
for i in range(60):
    with open('n', 'w') as f: f.write(str(i))
    held = os.open('x', os.O_RDONLY)
    os.rename('n', 'x')
    os.close(held)
ended = True
looker.join()
print(gaps, read > 3, open('x').read(), os.listdir('.'))`)}`,
    )
    t.equal(out, "0 True 59 ['x']\n")
  })

  t.test('S-8 S-14 appends, mappings, locks, fsync; nodes; a listing while names go', async (t) => {
    const out = await shell(
      mount,
      `for i in 1 2 3; do (for j in $(seq 30); do echo $i-$j >> log; done) & done; wait; sort log | uniq | wc -l
       mkfifo fifo; stat -c %F fifo; mkdir many; for i in $(seq 200); do echo > many/$i; done; chmod 600 log; stat -c %a log
       ${python(`
f = os.open('mapped', os.O_RDWR | os.O_CREAT)
os.ftruncate(f, 8192)
with mmap.mmap(f, 8192) as m: m[5000:5005] = b'hello'; m.flush()
print(os.pread(f, 5, 5000))
fcntl.flock(f, fcntl.LOCK_EX); fcntl.lockf(f, fcntl.LOCK_EX); os.fsync(f); os.fdatasync(f)
d = os.open('.', 0); os.fsync(d)
gone = 0
for e in os.scandir('many'): os.unlink(e.path); gone += 1
print(gone, os.listdir('many'))`)}`,
    )
    t.equal(out, "90\nfifo\n600\nb'hello'\n200 []\n")
  })

  t.test('S-7 S-13 S-16 what libfuse 2 has no words for is refused, not done by half', async (t) => {
    const out = await shell(
      mount,
      `echo a > a; echo b > b; ${python(`
f = os.open('a', os.O_RDWR)
print(attempt(lambda: os.open('.', os.O_TMPFILE | os.O_RDWR)), call(316, -100, b'a', -100, b'new', 1), call(316, -100, b'a', -100, b'b', 2))
print(call(285, f, 0, ctypes.c_long(0), ctypes.c_long(4096)), os.lseek(f, 0, os.SEEK_HOLE))`)}
       cat a b; df --output=size,itotal . | tail -1`,
    )
    t.equal(out, 'ENOTSUP EINVAL EINVAL\nENOTSUP 2\na\nb\n1073741824 4294967295\n')
  })
})

t.test('S-5 S-9 what another user makes belongs to the owner of its directory', { skip }, async (t) => {
  if (process.getuid?.() !== 0) return void t.pass('only root can become somebody else')
  const { mount } = await driveOf(t, 'fuse-native')
  const out = await shell(
    mount,
    `chmod 755 .. . && mkdir -m 2777 shared && chgrp 1234 shared && chmod 2777 shared && mkdir own && chown 65534:65534 own
     as() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
     as bash -c 'umask 022; echo mine > own/f; mkdir own/d; ln -s f own/l; echo ours > shared/f; mkdir shared/d; cp -p /bin/true shared/s; ! touch no 2>/dev/null; ! chmod 600 shared/f 2>/dev/null; chmod 600 own/f'
     stat -c '%u %g %a' own/f own/d own/l shared/f shared/d; cp /bin/true p && chmod 4755 p && chown 5 p && stat -c %a p
     as bash -c '! cat own/../p > /dev/null || ! echo >> p 2>/dev/null'; touch own/roots; stat -c %u own/roots
     printf x > w; chmod 4777 w; as bash -c 'echo >> w'; stat -c %a w`,
  )
  const made = '65534 65534 600\n65534 65534 755\n65534 65534 777\n0 1234 644\n0 1234 2755\n'
  t.equal(out, `${made}755\n65534\n777\n`)
})

t.test('S-1 S-8 S-11 remount and kill -9: all is as it was, for either door', { skip }, async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shardrive-vfs-'))
  t.teardown(() => fs.rmSync(folder, { recursive: true, force: true }))
  const list = `find . -mindepth 1 -printf '%P %i %y %m %n %s %T@ %b %l\\n' | sed 's/\\(\\.[0-9]\\{3\\}\\)[0-9]* /\\1 /' | LC_ALL=C sort; find . -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum`
  const first = await startDrive(folder, 'fuse-native')
  t.teardown(() => first.kill())
  await shell(
    first.mount,
    `mkdir -p tree/deep; head -c 300000 /dev/urandom > tree/bytes; ln tree/bytes tree/deep/hard; ln -s ../bytes tree/deep/soft
     printf x > "tree/$(printf 'caf\\351')"; printf x > 'tree/ name with space'; touch -d '2001-02-03 04:05:06.7 UTC' tree/deep; mkfifo tree/fifo`,
  )
  const before = await shell(first.mount, list)
  t.same(await first.stop(), { lines: [], code: 0 })

  const native = await startDrive(folder, 'native')
  t.equal(await shell(native.mount, list), before, 'the native door shows the same')
  await shell(
    native.mount,
    `touch -d '1969-07-20 20:17:40 UTC' old; printf hole | dd of=sparse bs=1 seek=500000 status=none`,
  )
  t.same(await native.stop(), { lines: [], code: 0 })

  const second = await startDrive(folder, 'fuse-native')
  t.teardown(() => second.kill())
  t.equal(await shell(second.mount, `stat -c %Y old; rm old sparse; ${list}`), `0\n${before}`)
  await shell(second.mount, 'echo kept > kept')
  const held = await fsp.open(path.join(second.mount, 'held'), 'w')
  await held.write('held')
  await shell(second.mount, 'rm held; sync kept')
  await second.kill()
  await held.close().catch(() => undefined)
  const third = await startDrive(folder, 'fuse-native')
  t.equal(
    await shell(third.mount, `cat kept; ls -A`),
    'kept\nkept\ntree\n',
    'of what was open and removed nothing is left',
  )
  t.same(await third.stop(), { lines: [], code: 0 })
})
