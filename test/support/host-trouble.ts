/** Hosts that are slow, lie, are silent, drop connections or cannot be heard, by chance; never more than the code bears. */
import type { PeerId } from '../../src/model/ids.js'
import type { BoxHost } from './box-host.js'
import type { Dice } from './dice.js'
import type { DriveNet } from './drive-net.js'
import type { Lie } from './lying-host.js'

const LIES: readonly Lie[] = ['flip-bits', 'wrong-proof', 'other-shard', 'truncate', 'forgetful', 'silent', 'refuse']
const CHANGE_MS_MAX = 150
const SLOW_MS_MAX = 400
const LINE_MS_MAX = 15
const SHARDS_TO_SPARE = 4

export class HostTrouble {
  /** Times that something was changed. */
  changes = 0
  private readonly net: DriveNet
  private readonly dice: Dice
  private readonly reader: PeerId
  private timer: NodeJS.Timeout | undefined

  constructor(net: DriveNet, dice: Dice, reader: PeerId) {
    this.net = net
    this.dice = dice
    this.reader = reader
  }

  start(): void {
    this.timer = setTimeout(
      () => {
        this.change()
        this.start()
      },
      this.dice.roll(10, CHANGE_MS_MAX),
    )
  }

  /** Everybody is well again. */
  stop(): void {
    clearTimeout(this.timer)
    this.net.hub.delayMs = 0
    for (const host of this.net.hosts) this.heal(host)
  }

  private change(): void {
    const { dice, net } = this
    this.changes++
    net.hub.delayMs = dice.roll(0, 2) === 0 ? dice.roll(1, LINE_MS_MAX) : 0
    for (const [at, host] of dice.shuffle(net.hosts).entries()) {
      this.heal(host)
      if (at < SHARDS_TO_SPARE) this.hurt(host)
      else if (dice.roll(0, 3) === 0) host.liar.delayMs = dice.roll(1, 30)
    }
  }

  private hurt(host: BoxHost): void {
    const { dice, net, reader } = this
    switch (dice.roll(0, 4)) {
      case 0:
        host.liar.delayMs = dice.roll(1, SLOW_MS_MAX)
        return
      case 1:
        net.hub.cut(reader, host.id)
        return
      case 2:
        net.hub.silence(reader, host.id)
        return
      default:
        host.liar.lie = dice.pick(LIES)
    }
  }

  private heal(host: BoxHost): void {
    host.liar.lie = 'none'
    host.liar.delayMs = 0
    const { hub } = this.net
    if (!hub.isSilenced(this.reader, host.id)) return
    hub.restore(this.reader, host.id)
    // What was sent meanwhile is lost, and a channel that lost something is no more.
    hub.cut(this.reader, host.id)
  }
}
