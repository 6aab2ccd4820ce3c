// One set-up at a time in a checkout: a second `npm start` or `npm test` waits for the first one's set-up to end.
import fs from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { root, say } from './console.mjs'

const file = path.join(root, '.cache/setup.pid')

/** Runs `work` alone. A holder that died without letting go is noticed by its process id. */
export async function inTurn(work) {
  let told = false
  while (!take()) {
    if (!told) say(`set-up: waiting for another one in this checkout (process ${holder()})`)
    told = true
    await sleep(200)
  }
  const release = () => fs.rmSync(file, { force: true })
  process.on('exit', release)
  try {
    return await work()
  } finally {
    process.off('exit', release)
    release()
  }
}

function take() {
  fs.mkdirSync(path.dirname(file), { recursive: true })
  try {
    fs.writeFileSync(file, `${process.pid}`, { flag: 'wx' })
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
  }
  if (isAlive(holder())) return false
  fs.rmSync(file, { force: true })
  return false
}

function holder() {
  const text = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : ''
  return Number.parseInt(text, 10)
}

function isAlive(pid) {
  // An empty file is one whose writer is between create and write.
  if (Number.isNaN(pid)) return fs.existsSync(file) && Date.now() - fs.statSync(file).mtimeMs < 5_000
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}
