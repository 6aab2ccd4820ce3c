/**
 * Where another user of this machine can run the program from. A clone in root's home, or below any folder that is closed to
 * others, is none: then what a run needs of it is copied to where they can look, until this process ends.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

/** Another user of this machine; needs no entry in /etc/passwd. */
export const OTHER_UID = 1_000

interface Locked {
  dev?: boolean
  devOptional?: boolean
}

let place: string | null = null

export function openRoot(): string {
  place ??= canOthersRead(path.resolve('dist/main.js')) ? process.cwd() : copyForOthers()
  return place
}

function canOthersRead(file: string): boolean {
  const user = [`--reuid=${OTHER_UID}`, `--regid=${OTHER_UID}`, '--clear-groups']
  return spawnSync('setpriv', [...user, 'test', '-r', file]).status === 0
}

function copyForOthers(): string {
  const to = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'open-'))
  process.once('exit', () => fs.rmSync(to, { recursive: true, force: true }))
  const parts = ['package.json', 'dist', 'dist-test', 'native/build', ...runtimePackages()]
  const ran = spawnSync('cp', ['-r', '--parents', ...parts, to], { encoding: 'utf8' })
  if (ran.status !== 0) throw new Error(`no copy for other users: ${ran.stderr}`)
  spawnSync('chmod', ['-R', 'go+rX', to])
  return to
}

/** Folders of what the program needs at run time, without what is for its makers. */
function runtimePackages(): string[] {
  const { packages } = JSON.parse(fs.readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, Locked> }
  return Object.entries(packages).flatMap(([folder, { dev, devOptional }]) =>
    folder === '' || dev || devOptional || !fs.existsSync(folder) ? [] : [folder],
  )
}
