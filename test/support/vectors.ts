import fs from 'node:fs'

/** Golden bytes: test/vectors/<name>.json. Tests run in the project's folder. */
export function readVectors<T>(name: string): T {
  return JSON.parse(fs.readFileSync(`test/vectors/${name}.json`, 'utf8')) as T
}

export function hex(text: string): Buffer {
  return Buffer.from(text, 'hex')
}
