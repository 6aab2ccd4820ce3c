// `npm start [-- OPTIONS]`: set-up, then `shardrive up OPTIONS`.
//
// `up` runs in this very process: one process gets the signals that the terminal and npm send, and there is
// no one in between who could swallow one or outlive the other. Set-up runs in a child, so that the
// compiler does not stay in memory.
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { root } from './steps/console.mjs'

const setup = spawnSync(process.execPath, [path.join(root, 'scripts/setup.mjs')], { stdio: ['ignore', 2, 2] })
if (setup.status !== 0) process.exit(setup.status ?? 130)

const main = path.join(root, 'dist/main.js')
process.argv = [process.execPath, main, 'up', ...process.argv.slice(2)]
await import(pathToFileURL(main).href)
