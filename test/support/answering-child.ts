/** A child of the tests that is asked over its channel: ready, questions one after the other, and an end like that of the program. */
import { followParent, leaveParent, tellParent } from '../../src/app/parent.js'

export interface AnsweringChild {
  facts: object
  answer(question: Record<string, unknown>): Promise<object>
  stop(): Promise<void>
}

export async function answerParent(start: () => Promise<AnsweringChild>): Promise<void> {
  const child = await start()
  process.on('message', (question: Record<string, unknown>) => {
    const answers = question.id
    child.answer(question).then(
      (answer) => process.send?.({ answers, answer }),
      (error: Error) => process.send?.({ answers, error: error.stack ?? String(error) }),
    )
  })
  let isEnding = false
  const end = () => {
    if (!isEnding) void child.stop().then(leaveParent)
    isEnding = true
  }
  process.once('SIGTERM', end)
  followParent(end)
  tellParent({ ready: child.facts })
}
