/** A drive is killed at each step between a write and this disk, under many kinds of work; nothing that was durable may be lost. */
import { crashTest } from '../support/crash-scenario.js'

crashTest({ kills: 84, runs: 2 })
