/** A state directory whose disk loses power with each death of its drive: what was not synced is there, is not, or is there in part. */
import fs from 'node:fs'
import path from 'node:path'
import { Dice } from './dice.js'
import { LOSSES, PowerDisk } from './power-disk.js'
import { readPowerLog, recorderEnv } from './power-log.js'

export class PowerState {
  private readonly state: string
  private readonly base: string
  private readonly log: string
  private readonly library: string
  private readonly dice: Dice
  /** Of the last loss. */
  lost = ''

  /** `folder`: of the test, outside of the state. */
  constructor(folder: string, state: string, seed: number) {
    this.state = state
    this.base = path.join(folder, 'power-base')
    this.log = path.join(folder, 'power.log')
    this.library = folder
    this.dice = new Dice(seed)
  }

  /** Before a start; what the drive needs in its environment. */
  begin(): NodeJS.ProcessEnv {
    for (const one of [this.base, this.log]) fs.rmSync(one, { recursive: true, force: true })
    fs.cpSync(this.state, this.base, { recursive: true, filter: (name) => !name.endsWith('-shm') })
    return recorderEnv(this.library, { folder: this.state, log: this.log })
  }

  /** After a death. */
  lose(): void {
    if (!fs.existsSync(this.log)) return
    const disk = new PowerDisk(this.base)
    for (const record of readPowerLog(this.log)) disk.take(record)
    const loss = this.dice.pick(LOSSES)
    this.lost = `${loss} of the unsynced`
    fs.rmSync(this.state, { recursive: true })
    disk.build(this.state, loss, this.dice)
    fs.rmSync(this.log)
  }
}
