import t from 'tap'
import { codecAddon } from '../../../src/addon/codec.js'
import { onEveryPath } from '../../support/code-paths.js'
import { Dice, testSeed } from '../../support/dice.js'
import { codingRow, combine, gfMultiply } from '../../support/reference-codec.js'

const codec = codecAddon()
const everyByte = Buffer.from(Array.from({ length: 256 }, (_, i) => i))

t.test('every product of two field elements is right', async (t) => {
  await onEveryPath((path) => {
    let wrong = 0
    for (let a = 0; a < 256; a++) {
      const [products] = codec.multiply(Buffer.from([a]), [everyByte])
      for (let b = 0; b < 256; b++) if (products?.[b] !== gfMultiply(a, b)) wrong++
    }
    t.equal(wrong, 0, path)
  })
})

t.test(
  'a matrix times units is the same on every path, for any number of rows, any length, any alignment',
  async (t) => {
    const seed = testSeed()
    t.comment(`SEED=${seed}`)
    const dice = new Dice(seed)
    const noise = dice.bytes(40_000)
    const wrong: string[] = []
    for (let round = 0; round < 60; round++) {
      const [rows, columns] = [dice.roll(1, 9), dice.roll(1, 12)]
      const length = dice.pick([
        1,
        31,
        32,
        33,
        63,
        64,
        127,
        128,
        129,
        1024,
        dice.roll(1, 3000),
        16_384 + dice.roll(0, 70),
      ])
      const units = Array.from({ length: columns }, () => noise.subarray(dice.roll(0, 20_000)).subarray(0, length))
      const matrix = Buffer.from(Array.from({ length: rows * columns }, () => dice.roll(0, 255)))
      const expected = Array.from({ length: rows }, (_, r) =>
        combine([...matrix.subarray(r * columns, (r + 1) * columns)], units),
      )
      await onEveryPath((path) => {
        const sums = codec.multiply(matrix, units)
        const same = sums.length === rows && sums.every((sum, r) => sum.equals(expected[r] as Buffer))
        if (!same) wrong.push(`${rows} x ${columns}, ${length} bytes, ${path}`)
      })
    }
  },
)

t.test('the coding matrix is the inverse of row xor column', async (t) => {
  for (const [k, n] of [
    [1, 255],
    [2, 5],
    [4, 8],
    [32, 60],
    [128, 255],
    [254, 255],
  ] as const) {
    const rows = Array.from({ length: n - k }, (_, i) => codingRow(k, k + i)).flat()
    t.same(codec.codingMatrix(k, n), Buffer.from(rows), `${k} of ${n}`)
  }
  t.equal(codec.codingMatrix(5, 5).length, 0)
})
