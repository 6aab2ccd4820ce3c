/** What programs see on a drive: the rules of docs/semantics.md through the real kernel. Clause ids name what is proven. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import t from 'tap'
import { driveOf, shell, startDrive, TREE } from './vfs-mount.js'

// Real programs on a shared machine.
t.setTimeout(180_000)

t.test('S-3 a file that is unlinked while open keeps its bytes; its directory can be removed', async (t) => {
  const { mount } = await driveOf(t)
  const out = await shell(
    mount,
    `mkdir d && echo content > d/f && exec 3<> d/f && rm d/f && rmdir d && cat <&3 && echo more >&3 && stat -L -c %h /proc/self/fd/3
     echo old > x && exec 4< x && echo new > y && mv y x && cat <&4 && cat x`,
  )
  t.equal(out, 'content\n0\nold\nnew\n')
})

t.test('S-7 sparse files: holes are found, punched, and reserved space is counted', async (t) => {
  const { mount } = await driveOf(t)
  const out = await shell(
    mount,
    `truncate -s 10M f && stat -c %b f && fallocate -l 1M f && stat -c '%s %b' f
     head -c 1048576 /dev/zero | tr '\\0' a | dd of=f bs=1M seek=4 conv=notrunc status=none && stat -c %b f
     fallocate -p -o 4M -l 512K f && stat -c %b f && cp --sparse=always f g && cmp f g && fallocate -z -o 0 -l 4096 f
     python3 -c "import os;f=os.open('f',0);print(os.lseek(f,0,os.SEEK_DATA),os.lseek(f,5<<20,os.SEEK_HOLE))"`,
  )
  t.equal(out, '0\n10485760 2048\n4096\n3072\n4718592 5242880\n')
})

t.test('S-9 another user owns what it makes, and setgid directories hand down their group', async (t) => {
  if (process.getuid?.() !== 0) return void t.pass('only root can become somebody else')
  const { mount } = await driveOf(t)
  const out = await shell(
    mount,
    `chmod 755 .. . && mkdir -m 2777 shared && chgrp 1234 shared && chmod 2777 shared
     setpriv --reuid 65534 --regid 65534 --clear-groups bash -c 'umask 022; touch shared/f; mkdir shared/d; ! touch ../mnt/no 2>/dev/null'
     stat -c '%u %g %a' shared/f shared/d; cp /bin/true p && chmod 4755 p && chown 5 p && stat -c %a p`,
  )
  t.equal(out, '65534 1234 644\n65534 1234 2755\n755\n')
})

t.test('S-10 deleting while listing, and listing 3,000 names, misses nothing', async (t) => {
  const { mount } = await driveOf(t)
  const out = await shell(
    mount,
    `mkdir d && cd d && for i in $(seq 3000); do echo > f$i; done && ls | wc -l
     python3 -c "
import os
n=0
for e in os.scandir('.'):
    os.unlink(e.name); n+=1
print(n, os.listdir('.'))"`,
  )
  t.equal(out, '3000\n3000 []\n')
})

t.test('S-39 a file has no inode flags, and is given none: whoever asks for one is told', async (t) => {
  const { mount } = await driveOf(t)
  const out = await shell(
    mount,
    `mkdir d; touch f; python3 - <<'END'
import errno, fcntl, os, struct
def ask(name, number, given):
    fd = os.open(name, os.O_RDONLY)
    try: return fcntl.ioctl(fd, number, given).hex()
    except OSError as error: return errno.errorcode[error.errno]
    finally: os.close(fd)
IMMUTABLE, GET, SET, GETX, SETX, VERSION = 0x10, 0x80086601, 0x40086602, 0x801c581f, 0x401c5820, 0x80087601
for name in 'f', 'd':
    print(ask(name, GET, bytes(8)), ask(name, SET, bytes(8)), ask(name, SET, struct.pack('Q', IMMUTABLE)))
    print(ask(name, GETX, bytes(28)), ask(name, SETX, bytes(28)), ask(name, SETX, struct.pack('I24x', 8)), ask(name, VERSION, bytes(8)))
END
     echo still > f && rm f && rmdir d && echo free`,
  )
  const zeros = (bytes: number) => '00'.repeat(bytes)
  const flags = `${zeros(8)} ${zeros(8)} ENOTSUP\n`
  const each = `${flags}${zeros(28)} ${zeros(28)} ENOTSUP ENOTTY\n`
  t.equal(out, `${each}${each}free\n`)
})

t.test('S-27 S-14 one write of an appending descriptor goes elsewhere, and everybody reads it there', async (t) => {
  const { mount } = await driveOf(t)
  const out = await shell(
    mount,
    `python3 - <<'END'
import errno, os
NOAPPEND = 0x20
with open('f', 'w') as f: f.write('abcdef')
print(open('f').read())
fd = os.open('f', os.O_RDWR | os.O_APPEND)
try: print(os.pwritev(fd, [b'XY'], 1, NOAPPEND))
except OSError as error: print(os.pwrite(os.open('f', os.O_WRONLY), b'XY', 1) if error.errno == errno.EOPNOTSUPP else error)
print(open('f').read(), os.write(fd, b'!'), open('f').read())
END
     sync; [ $(id -u) != 0 ] || echo 3 > /proc/sys/vm/drop_caches; cat f`,
  )
  t.equal(out, 'abcdef\n2\naXYdef 1 aXYdef!\naXYdef!')
})

t.test('S-11 everything is the same after an unmount and a mount', async (t) => {
  const drive = await driveOf(t)
  const list = `find . -printf '%P %y %m %n %s %T@ %C@ %b %l\\n' | LC_ALL=C sort; find . -type f ! -name sparse -print0 | LC_ALL=C sort -z | xargs -0 md5sum`
  await shell(drive.mount, TREE)
  const before = await shell(drive.mount, list)
  t.same(await drive.stop(), { lines: [], code: 0 })
  const again = await startDrive(drive.mount.replace(/\/mnt$/, ''))
  const after = await shell(again.mount, list)
  t.equal(after, before)
  t.same(await again.stop(), { lines: [], code: 0 })
})

t.test('S-1 S-8 kill -9 of the daemon: what was fsynced is there, and nothing is half', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shardrive-vfs-'))
  t.teardown(() => fs.rmSync(folder, { recursive: true, force: true }))
  const first = await startDrive(folder)
  t.teardown(() => first.kill())
  // It may end before its killer does.
  const writer = t.rejects(
    shell(
      first.mount,
      `for i in $(seq 500); do head -c 20000 /dev/zero | tr '\\0' "\\$((i % 8))" > f$i.new; sync f$i.new; mv f$i.new f$i; echo $i >> ${folder}/said; done`,
    ),
  )
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  await first.kill()
  await writer
  const said = fs.readFileSync(path.join(folder, 'said'), 'latin1').trim().split('\n').length
  const second = await startDrive(folder)
  // The rename came after the fsync: the last file may still have its first name.
  const out = await shell(
    second.mount,
    `for i in $(seq ${said - 1}); do f=f$i; [ -e $f ] || f=f$i.new; head -c 20000 /dev/zero | tr '\\0' "\\$((i % 8))" | cmp - $f; done; echo whole`,
  )
  t.equal(out, 'whole\n', `${said} files were fsynced`)
  t.same(await second.stop(), { lines: [], code: 0 })
})

t.test('S-15 a full local disk refuses writes, keeps what it took, and goes on when there is room', async (t) => {
  if (process.getuid?.() !== 0) return void t.pass('only root can mount a small disk')
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shardrive-vfs-'))
  fs.mkdirSync(path.join(folder, 'state'))
  await shell(folder, 'mount -t tmpfs -o size=192m small state')
  const drive = await startDrive(folder)
  t.teardown(async () => {
    await drive.stop()
    await shell(folder, 'umount -l state || true')
    fs.rmSync(folder, { recursive: true, force: true })
  })
  const out = await shell(
    drive.mount,
    `echo kept > small; head -c 20000000 /dev/urandom > middle; md5sum < middle > ../sum
     ! head -c 400000000 /dev/zero > big 2> ../why; grep -o 'No space left on device' ../why
     md5sum < middle | diff - ../sum; rm big; sync -f small; sleep 2; head -c 5000000 /dev/zero > again; cat small`,
  )
  t.equal(out, 'No space left on device\nkept\n')
  t.same(await drive.stop(), { lines: [], code: 0 })
})
