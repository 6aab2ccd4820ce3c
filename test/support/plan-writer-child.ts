/**
 * Carries out a plan on a mount and keeps an account of it outside: argv MOUNT LOG OPTIONS(json). The log holds, for each step in
 * order, 'b' before and 'e' after it ('s' after one that made everything before it durable). Ends with 0 at the end of the
 * plan, with 3 when the drive went away under it.
 */
import fs from 'node:fs'
import path from 'node:path'
import { rampRange } from './ramp.js'
import { type PlanOptions, type Step, writePlan } from './write-plan.js'

const [mount = '', logFile = '', options = '{}'] = process.argv.slice(2)
const log = fs.openSync(logFile, 'a')
const open = new Map<string, number>()

try {
  for (const step of writePlan(JSON.parse(options) as PlanOptions)) {
    fs.writeSync(log, 'b')
    carryOut(step)
    fs.writeSync(log, step.kind === 'fsync' ? 's' : 'e')
  }
} catch (error) {
  const { code } = error as NodeJS.ErrnoException
  if (code !== 'ENOTCONN' && code !== 'ECONNABORTED' && code !== 'EIO' && code !== 'ENOENT') throw error
  process.exit(3)
}

function carryOut(step: Step): void {
  const place = path.join(mount, step.name)
  switch (step.kind) {
    case 'mkdir':
      fs.mkdirSync(place)
      return
    case 'create':
      fileOf(place, 'wx')
      return
    case 'write': {
      const bytes = rampRange(step.key, step.offset, step.length)
      for (let done = 0; done < bytes.length; ) {
        done += fs.writeSync(fileOf(place, 'r+'), bytes, done, bytes.length - done, step.offset + done)
      }
      return
    }
    case 'truncate':
      fs.ftruncateSync(fileOf(place, 'r+'), step.length)
      return
    case 'fsync':
      fs.fsyncSync(fileOf(place, 'r+'))
      close(place)
      return
    case 'rename':
      close(place)
      close(path.join(mount, step.to))
      fs.renameSync(place, path.join(mount, step.to))
      return
    case 'unlink':
      close(place)
      fs.unlinkSync(place)
  }
}

/** The open file of a name; one at a time stays open. */
function fileOf(place: string, flags: string): number {
  const known = open.get(place)
  if (known !== undefined) return known
  for (const name of [...open.keys()]) close(name)
  const file = fs.openSync(place, flags)
  open.set(place, file)
  return file
}

function close(place: string): void {
  const file = open.get(place)
  if (file === undefined) return
  open.delete(place)
  fs.closeSync(file)
}
