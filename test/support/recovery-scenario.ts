/** A drive is filled with all that a tree can hold, stored, forgotten here, and recovered from its phrase: again and again, the same. */
import fsp from 'node:fs/promises'
import t from 'tap'
import { differences, type Manifest, manifestOf } from './drive-manifest.js'
import { Lab, type NetworkFacts } from './drive-process.js'

export interface RecoverySizes {
  hosts?: number
  /** Folders of this repository that are copied in. */
  trees: readonly string[]
  randomBytes: number
  /** Many small files, so that most segments hold hundreds of them. */
  smallFiles: number
  recoveries: number
  /** Programs that read the whole cold drive at once. */
  readers: number
}

/** Names, owners, times, links, holes, attributes: what copies like to lose. $1 is the mount. */
const ODD_THINGS = `
  mkdir -p odd/deep/er && cd odd
  printf one > one; ln one two; mkdir sub; ln one sub/three; ln -s ../one sub/soft; ln -s nowhere broken
  ln -s "$(printf 'x%.0s' {1..4000})" long-target; mkfifo -m 640 pipe; ln pipe deep/same-pipe
  printf a > "$(printf 'caf\\351')"; printf b > "$(printf 'new\\nline \\001 \\xff')"; printf c > "$(printf 'n%.0s' {1..255})"; printf d > ' '
  printf e > "$(printf '\\xe2\\x98\\x83%.0s' {1..85})"
  truncate -s 300M holes; printf here | dd of=holes bs=1 seek=150000001 conv=notrunc status=none
  head -c 200000 /dev/urandom | dd of=holes bs=1M seek=200 conv=notrunc status=none; truncate -s 1T huge-and-empty; fallocate -l 3M reserved
  head -c 3000000 /dev/urandom > punched; fallocate -p -o 1000000 -l 1048576 punched
  head -c 1000000 /dev/urandom > grown; truncate -s 2000000 grown; truncate -s 500 grown; truncate -s 70000 grown
  setfattr -n user.colour -v blue one; setfattr -n user.bytes -v 0x00ff0a22 sub; setfattr -n user.empty holes
  setfattr -n user.large -v 0x$(head -c 4000 /dev/urandom | od -An -v -tx1 | tr -d ' \\n') deep/er; setfattr -n user.gone -v x one; setfattr -x user.gone one
  : > empty; chmod 0 empty; printf s > setuid; chmod 6755 setuid; mkdir -m 3777 sticky; chown 1000:2000 two sub; chown -h 4294967294:7 broken
  touch -d '1969-07-20 20:17:40.123456789 UTC' one; touch -h -d '2001-02-03 04:05:06.7 UTC' sub/soft; touch -d '2106-02-07 06:28:17.000000001 UTC' deep/er
  mkdir wide && cd wide && for i in $(seq 300); do printf "$i %$((i * 37 % 900))s" x > f$i; done && rm f1* && mv f2 moved && mv -T f3 moved && ln moved again && rm moved`

async function fill(lab: Lab, mount: string, sizes: RecoverySizes): Promise<void> {
  await lab.sh(`mkdir ${mount}/tree && cp -a ${sizes.trees.join(' ')} ${mount}/tree/`, {
    cwd: process.cwd(),
    timeoutMs: 1_200_000,
  })
  await lab.sh(ODD_THINGS, { cwd: mount })
  // Units are 64 KiB: sizes around their borders, written in pieces of other sizes, between epochs that cut where they like.
  await lab.sh(
    `mkdir edges && cd edges && for size in 1 65535 65536 65537 131071 262144 262145 1048575 1048577; do head -c $size /dev/urandom > e$size
     head -c $size /dev/urandom | dd of=o$size obs=4097 status=none; done
     mkdir ../small && cd ../small && head -c ${sizes.smallFiles * 3000} /dev/urandom | split -a 5 -b 3000 - s
     for f in *5; do head -c 700 /dev/urandom | dd of=$f bs=1 seek=100 count=50 conv=notrunc status=none; done`,
    { cwd: mount, timeoutMs: 600_000 },
  )
  await lab.sh(`head -c ${sizes.randomBytes} /dev/urandom > large`, { cwd: mount, timeoutMs: 1_200_000 })
}

const ORDERS = ['forward', 'backward', 'stripes', 'forward'] as const

/** Into a state directory that nothing is known in; what its readers see at once, the first time. */
async function recoverAndRead(
  lab: Lab,
  network: NetworkFacts,
  state: string,
  options: { readers: number; cache: string },
): Promise<Manifest[]> {
  const mount = lab.made('mnt')
  const drive = await lab.mount({ mount, state, network, words: ['--cache', options.cache] })
  const seen = await Promise.all(ORDERS.slice(0, options.readers).map((order) => manifestOf(mount, order, 1_200_000)))
  const findings = await lab.findings(state)
  if (findings.length > 0) throw new Error(`fsck of a recovered drive: ${JSON.stringify(findings)}`)
  const end = await drive.stop()
  if (end !== 0) throw new Error(`the recovered drive ended with ${end}\n${drive.log.slice(-3_000)}`)
  return seen
}

export function recoveryTest(sizes: RecoverySizes): void {
  t.test('a drive recovered from its phrase is, byte for byte, what it was', async (t) => {
    const lab = new Lab(t)
    const { facts: network } = await lab.up(sizes.hosts === undefined ? {} : { hosts: sizes.hosts })
    const mount = lab.made('mnt')
    const first = await lab.mount({ mount, state: network.state })
    await fill(lab, mount, sizes)
    const before = await manifestOf(mount, 'forward', 1_200_000)
    await lab.sync(network.state)
    t.same(differences(before, await manifestOf(mount, 'backward', 1_200_000)), [], 'being stored changes nothing')
    t.same(await lab.findings(network.state), [])
    t.equal(await first.stop(), 0)
    const again = await lab.mount({ mount, state: network.state })
    t.same(
      differences(before, await manifestOf(mount, 'stripes', 1_200_000)),
      [],
      'a remount on the same state changes nothing',
    )
    t.equal(await again.stop(), 0)
    await fsp.rm(network.state, { recursive: true })
    for (let round = 1; round <= sizes.recoveries; round++) {
      const state = lab.path(`state-${round}`)
      // Every second one keeps next to nothing of what it fetched.
      const cache = round % 2 === 0 ? '4MiB' : '10GiB'
      const seen = await recoverAndRead(lab, network, state, { readers: sizes.readers, cache })
      for (const [reader, manifest] of seen.entries()) {
        t.same(differences(before, manifest), [], `recovery ${round}, reader ${reader + 1} of ${seen.length}`)
      }
      await fsp.rm(state, { recursive: true })
    }
  })
}
