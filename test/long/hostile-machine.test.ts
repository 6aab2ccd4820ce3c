/** What lies or comes from this machine, a hundred thousand times spoilt. */
import t from 'tap'
import { attackAll, planOf } from '../hostile/attack.js'
import { groups } from '../hostile/table.js'

const COUNT = 100_000

attackAll(t, [...groups.ledger, ...groups.files, ...groups.doors, ...groups.native], planOf(process.env, COUNT))
