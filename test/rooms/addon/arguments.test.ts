import t from 'tap'
import { type CodecAddon, codecAddon } from '../../../src/addon/codec.js'
import { onEveryPath } from '../../support/code-paths.js'
import { rightArguments } from '../../support/codec-arguments.js'
import { Dice } from '../../support/dice.js'

type AnyFunction = (...args: unknown[]) => unknown
const codec = codecAddon()

t.test('right arguments are never refused, whatever instructions the processor has', async (t) => {
  const dice = new Dice(1)
  await onEveryPath(async (path) => {
    codec.setPath(path)
    for (const [name, args] of Object.entries(rightArguments(dice))) {
      await (codec[name as keyof CodecAddon] as AnyFunction)(...args)
    }
  })
  t.pass()
})
