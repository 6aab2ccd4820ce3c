/** What the file at the root of a drive says that cannot be written: what happened, since when, what to do. */
import type { Clock } from '../base/clock.js'
import type { NoticeSource } from '../mount/vfs/notice.js'
import { adviceFor, codeOfReason } from './advice.js'

export class DriveNotice implements NoticeSource {
  private readonly clock: Pick<Clock, 'nowMs'>
  private notice: ReturnType<NoticeSource['text']> = null

  constructor(clock: Pick<Clock, 'nowMs'>) {
    this.clock = clock
  }

  /** Whether what it says is another than before. */
  changed(reason: string | null): boolean {
    const before = this.notice
    const code = reason === null ? undefined : codeOfReason(reason)
    this.notice = reason === null || code === undefined ? null : this.told(reason, code)
    return before?.text !== this.notice?.text
  }

  text(): ReturnType<NoticeSource['text']> {
    return this.notice
  }

  private told(reason: string, code: string): { text: string; since: { sec: number; nsec: number } } {
    const nowMs = this.clock.nowMs()
    const time = new Date(nowMs).toISOString().slice(0, 19).replace('T', ' ')
    const advice = adviceFor(code)
    const lines = [
      `This drive cannot be written since ${time} UTC.`,
      '',
      `What happened: ${reason}`,
      ...(advice === undefined ? [] : [`What to do:    ${advice}`]),
      '',
      'Everything here can still be read and copied. "shardrive status" says more.',
      'This file goes by itself when the drive can be written again.',
    ]
    return { text: `${lines.join('\n')}\n`, since: { sec: Math.floor(nowMs / 1_000), nsec: 0 } }
  }
}
