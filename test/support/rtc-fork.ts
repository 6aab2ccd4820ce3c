/** Starts rtc-child and ties it to a hub of the parent. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { type PeerId, peerId } from '../../src/model/ids.js'
import type { SignalHub } from './signal-hub.js'

export interface RtcChild {
  id: PeerId
  process: ChildProcess
  /** Exit code, or the signal's name. */
  ended: Promise<number | string>
}

export async function forkNode(hub: SignalHub, serves: 'echo' | 'silent' | 'none' | 'limited'): Promise<RtcChild> {
  const child = fork(new URL('./rtc-child.js', import.meta.url), [serves], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const ended = once(child, 'exit').then(([code, signal]) => code ?? signal)
  const [first] = await once(child, 'message')
  const id = peerId(first.self)
  const member = hub.connect(id)
  member.onSignal((from, session, payload) => {
    if (child.connected) child.send({ from, session, payload: payload.toString('base64') })
  })
  child.on('message', (message: { to: string; session: string; payload: string }) => {
    member.send(peerId(message.to), message.session, Buffer.from(message.payload, 'base64'))
  })
  return { id, process: child, ended }
}
