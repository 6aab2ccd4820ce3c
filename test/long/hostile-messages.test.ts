/** What crosses a network, a hundred thousand times spoilt. */
import t from 'tap'
import { attackAll, planOf } from '../hostile/attack.js'
import { groups } from '../hostile/table.js'

const COUNT = 100_000

attackAll(t, [...groups.channel, ...groups.signed, ...groups.replies], planOf(process.env, COUNT))
