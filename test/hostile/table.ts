/** All targets, in the groups that test files take one each. */
import type { Target } from './target.js'
import { bridgeTargets } from './targets/bridge.js'
import { bridgeDoorTargets } from './targets/bridge-doors.js'
import { chainTargets } from './targets/chain.js'
import { controlTargets } from './targets/control.js'
import { datagramTargets } from './targets/datagrams.js'
import { fileTargets } from './targets/files.js'
import { hostTargets } from './targets/host.js'
import { kernelTargets } from './targets/kernel.js'
import { ledgerTargets } from './targets/ledger.js'
import { nativeTargets } from './targets/native.js'
import { permitTargets } from './targets/permits.js'
import { reachReplyTargets } from './targets/reach-replies.js'
import { replyTargets } from './targets/replies.js'
import { unitTargets } from './targets/units.js'
import { storeStartTargets, volumeTargets } from './targets/volumes.js'
import { wireTargets } from './targets/wire.js'

export const groups = {
  /** What peers say on a data channel. */
  channel: wireTargets,
  /** What comes to a plain UDP socket. */
  datagrams: datagramTargets,
  /** What carries a signature or a seal. */
  signed: [...permitTargets, ...chainTargets],
  /** What a bridge answers. */
  replies: [...replyTargets, ...reachReplyTargets],
  /** What a bridge is asked. */
  bridge: [...bridgeTargets, ...bridgeDoorTargets],
  /** What a host is asked, what lies on its disk, and what it answers. */
  host: [...hostTargets, ...volumeTargets],
  /** What the ledger is given, and what lies in it. */
  ledger: ledgerTargets,
  /** What lies on disk. */
  files: [...fileTargets, ...unitTargets],
  /** What comes from this machine: requests of the kernel, lines of the control socket. */
  doors: [...kernelTargets, ...controlTargets],
  /** The native addons, called with anything. */
  native: nativeTargets,
} as const satisfies Record<string, readonly Target[]>

/** For the long tests alone: each input costs milliseconds. */
export const slowTargets: readonly Target[] = storeStartTargets
