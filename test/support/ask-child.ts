/** Asks a child that answers over its channel (answering-child.ts). */
import type { ChildProcess } from 'node:child_process'

/** Fails with what the child failed with, or when it ends before it answered. */
export function askChild(
  child: ChildProcess,
  question: { id: number },
  exited: Promise<number | string>,
): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const listen = (message: { answers?: number; answer?: Record<string, unknown>; error?: string }) => {
      if (message.answers !== question.id) return
      child.off('message', listen)
      if (message.error === undefined) resolve(message.answer ?? {})
      else reject(new Error(message.error))
    }
    child.on('message', listen)
    void exited.then((end) => reject(new Error(`ended (${end}) before it answered`)))
    child.send(question)
  })
}
