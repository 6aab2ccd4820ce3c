/**
 * Test suites that others wrote, from Debian's packages, on a drive: nothing may fail there that does not fail in a folder of the
 * local file system too, where each is run as well. `ONLY=fio` runs part of it.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import t, { type Test } from 'tap'
import { driveOf, shell } from '../mount/vfs-mount.js'

t.setTimeout(3_000_000)

const SUITE_MS = 1_500_000
const STRESSOR_SEC = 5
/** What asks for other mounts than that of its folder. */
const NOT_OF_FILES = 'bind-mount,binderfs,procfs'
const PYTHON_TESTS =
  'test_os test_posix test_posixpath test_shutil test_tempfile test_mmap test_tarfile test_zipfile test_pathlib test_fcntl test_file test_fileio test_io test_largefile test_glob test_stat test_genericpath test_fileinput test_filecmp test_mailbox test_dbm test_dbm_dumb test_shelve test_unicode_file test_unicode_file_functions test_py_compile test_zipapp'
const GLIB = '/usr/libexec/installed-tests/glib'
const GLIB_TESTS = 'file g-file g-file-info file-thumbnail readwrite live-g-file fileutils mapping mappedfile'

interface Suite {
  readonly name: string
  readonly command: string
  readonly debian: string
  /** Names of what failed, one a line; nothing: all passed. */
  readonly script: string
}

const SUITES: readonly Suite[] = [
  {
    name: 'fio: random reads and writes, verified',
    ...{ command: 'fio', debian: 'fio' },
    script: `fio --name=v --directory=. --rw=randrw --bs=4k-64k --size=48m --numjobs=2 --ioengine=psync --verify=crc32c --verify_fatal=1 --verify_backlog=64 --group_reporting >&2 || echo randrw
      fio --name=m --directory=. --rw=randwrite --bs=4k --size=32m --ioengine=mmap --verify=md5 --verify_fatal=1 --do_verify=1 >&2 || echo mmap
      fio --name=s --directory=. --rw=write --bs=1m --size=256m --ioengine=psync --end_fsync=1 --verify=xxhash --verify_fatal=1 --do_verify=1 >&2 || echo sequential`,
  },
  {
    name: 'stress-ng: its stressors of file systems, verified',
    ...{ command: 'stress-ng', debian: 'stress-ng' },
    script: `for one in $(stress-ng --class 'filesystem?' 2>&1 | sed -n "s/^class 'filesystem' stressors: //p"); do
      case ,${NOT_OF_FILES}, in *,$one,*) continue;; esac
      stress-ng --temp-path . --verify --timeout ${STRESSOR_SEC}s --$one 2 >log.$one 2>&1 || { cat log.$one >&2; echo $one; }; done`,
  },
  {
    name: 'dbench: a file server',
    ...{ command: 'dbench', debian: 'dbench' },
    script: 'dbench -t 20 -c /usr/share/dbench/client.txt -D . 4 >&2 || echo dbench',
  },
  {
    name: "CPython's own tests of files",
    ...{ command: '/usr/lib/python3.11/test/libregrtest/main.py', debian: 'libpython3.11-testsuite' },
    script: `export TMPDIR=$PWD; /usr/bin/python3.11 -m test --tempdir $PWD -u largefile ${PYTHON_TESTS} >log 2>&1 || true
      grep -q '[0-9] tests\\? OK' log || grep -q 'All .* OK' log || echo none-ran; tail -25 log >&2
      sed -n '/tests\\? failed:/,/^$/p' log | tr -s ' ' '\\n' | grep ^test_ || true`,
  },
  {
    name: "GLib's own tests of files",
    ...{ command: `${GLIB}/file`, debian: 'libglib2.0-tests' },
    // As an ordinary user: several of them expect that permissions hold.
    script: `mkdir -m 1777 tmp; cd tmp; at=$PWD; while test $at != /; do chmod a+x $at; at=$(dirname $at); done; export TMPDIR=$PWD HOME=$PWD G_TEST_SRCDIR=${GLIB} G_TEST_BUILDDIR=${GLIB}
      become=; test $(id -u) = 0 && become='setpriv --reuid=nobody --regid=nogroup --clear-groups'
      for one in ${GLIB_TESTS}; do test -x ${GLIB}/$one || continue
      timeout 120 $become ${GLIB}/$one >../log.$one 2>&1 || { grep -v '^ok' ../log.$one | tail -5 >&2 || true; echo $one; }; done`,
  },
]

async function failuresOf({ script }: Suite, folder: string): Promise<string[]> {
  const out = await shell(folder, script, SUITE_MS)
  return out.split('\n').filter((line) => line !== '')
}

function localFolder(t: Test): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shardrive-local-'))
  t.teardown(() => fs.rmSync(folder, { recursive: true, force: true }))
  return folder
}

for (const suite of SUITES.filter(({ name }) => name.includes(process.env.ONLY ?? ''))) {
  const skip =
    fs.existsSync(suite.command) || fs.existsSync(`/usr/bin/${suite.command}`) ? false : `install ${suite.debian}`
  t.test(suite.name, { skip }, async (t) => {
    const { mount } = await driveOf(t)
    const startedMs = performance.now()
    const failed = await failuresOf(suite, mount)
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1)
    const locally = failed.length === 0 ? [] : await failuresOf(suite, localFolder(t))
    t.comment(
      `${seconds} s on the drive; failed there: ${failed.join(' ') || 'nothing'}; locally: ${locally.join(' ') || 'nothing'}`,
    )
    t.same(
      failed.filter((one) => !locally.includes(one)),
      [],
      'nothing fails that does not fail locally',
    )
  })
}
