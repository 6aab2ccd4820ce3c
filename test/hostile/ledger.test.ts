/** What the ledger is given, and what lies in it. */
import t from 'tap'
import { attackAll, planOf } from './attack.js'
import { ledgerTargets } from './targets/ledger.js'

attackAll(t, ledgerTargets, planOf(process.env))
