/**
 * Real software on a real drive, each in a folder of its own; then the drive is stored, its state thrown away, recovered from the
 * phrase, compared with what it was, and the software looks at its files again. `ONLY=restic` runs part of it.
 */
import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { differences, manifestOf } from '../support/drive-manifest.js'
import { Lab } from '../support/drive-process.js'
import { USER_PROGRAMS, type UserProgram } from '../support/user-programs.js'

t.setTimeout(1_700_000)

const PROGRAM_MS = 300_000
/** What the scripts copy: enough files for a large tree, and a C project. */
const SOURCES = ['src', 'test', 'docs', 'scripts', 'native']
const SQLITE = 'node_modules/better-sqlite3/deps/sqlite3'

async function sourceOf(lab: Lab): Promise<string> {
  const source = lab.made('source')
  await lab.sh(
    `cp -r ${SOURCES.join(' ')} ${source}/; mkdir -p ${source}/${SQLITE}; cp ${SQLITE}/* ${source}/${SQLITE}/`,
    {
      cwd: process.cwd(),
    },
  )
  await lab.sh(`chmod -R a+rX ${source}`)
  return source
}

/** The package of a command that is not here. */
async function missingPackage(lab: Lab, { needs }: UserProgram): Promise<string | null> {
  for (const [command, name] of Object.entries(needs)) {
    const found = await lab.sh(`command -v ${command} || true`)
    if (found.trim() === '') return name
  }
  return null
}

t.test('programs find a disk, and find it again after a recovery', async (t) => {
  const lab = new Lab(t)
  const { facts: network } = await lab.up()
  const { state } = network
  const mount = lab.made('mnt')
  let drive = await lab.mount({ mount, state })
  const source = await sourceOf(lab)
  const local = lab.made('local')
  fs.chmodSync(local, 0o1777)
  const run = async (at: number, program: UserProgram, script: string) => {
    const folder = path.join(mount, String(at))
    const file = lab.path(`script-${at}.sh`)
    fs.writeFileSync(file, `set -euo pipefail\nexport SOURCE=${source} LOCAL=${local}\ncd ${folder}\n${script}\n`)
    const become =
      program.user === undefined ? '' : `setpriv --reuid=${program.user} --regid=${program.user} --clear-groups`
    await lab.sh(`${become} bash ${file}`, { cwd: '/', timeoutMs: PROGRAM_MS })
  }
  const wanted = USER_PROGRAMS.filter(({ name }) => name.includes(process.env.ONLY ?? ''))
  const ran: [number, UserProgram][] = []
  for (const [at, program] of wanted.entries()) {
    const lacks = await missingPackage(lab, program)
    await t.test(program.name, lacks === null ? {} : { skip: `install ${lacks}` }, async (t) => {
      const folder = path.join(mount, String(at))
      await lab.sh(`mkdir ${folder}; ${program.user === undefined ? '' : `chown ${program.user}: ${folder}`}`)
      const failure = await run(at, program, program.script).then(() => '', String)
      t.equal(failure, '')
      if (failure === '') ran.push([at, program])
    })
  }
  await lab.facts('sync', '--complete', '--state', state)
  t.same(await lab.findings(state), [])
  const before = await manifestOf(mount, 'forward', PROGRAM_MS)
  t.equal(await drive.stop(), 0)
  fs.rmSync(state, { recursive: true })
  drive = await lab.mount({ mount, state: lab.path('recovered'), network })
  const after = await manifestOf(mount, 'stripes', PROGRAM_MS)
  t.same(differences(before, after), [], `the recovered drive is the same: ${before.length} entries`)
  for (const [at, program] of ran) {
    if (program.after === undefined) continue
    const failure = await run(at, program, program.after).then(() => '', String)
    t.equal(failure, '', `${program.name}: again, after the recovery`)
  }
  t.same(await lab.findings(lab.path('recovered')), [])
  t.equal(await drive.stop(), 0)
})
