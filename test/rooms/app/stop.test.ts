import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import t from 'tap'

const module = JSON.stringify(pathToFileURL(path.resolve('dist-test/src/app/stop.js')).href)
const program = `
  const { listenForStop } = await import(${module})
  const stop = listenForStop(() => console.log('hurry'))
  console.log('ready')
  await stop.waitWith()
  const alive = setInterval(() => {}, 1000)
  console.log('stopping', stop.by, stop.exitCode)
  if (process.argv[1] === 'slow') await new Promise((r) => setTimeout(r, 20_000))
  clearInterval(alive)
  stop.release()
`

async function started(mode: string) {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, mode], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.on('data', (chunk) => (said += chunk))
  while (!said.includes('ready')) {
    if (child.exitCode !== null) throw new Error(`ended at its start (${child.exitCode})`)
    await sleep(10)
  }
  return { child, said: () => said }
}

t.test('a signal that arrives twice at once is one wish, and the end is clean', async (t) => {
  const { child, said } = await started('quick')
  child.kill('SIGINT')
  child.kill('SIGTERM')
  const [code, signal] = await once(child, 'exit')
  t.same([code, signal], [0, null])
  t.match(said(), /stopping SIG(INT|TERM) 1(30|43)\n$/)
})

t.test('a second wish after two seconds ends the process at once', async (t) => {
  const { child, said } = await started('slow')
  child.kill('SIGTERM')
  await sleep(500)
  child.kill('SIGTERM')
  await sleep(2_000)
  t.equal(child.exitCode, null, 'the echo of the first was no second wish')
  child.kill('SIGINT')
  const [code] = await once(child, 'exit')
  t.equal(code, 130)
  t.match(said(), /hurry/)
})

t.test(
  'whoever waits stays alive although nothing else of the process is open, and is let go by the others',
  async (t) => {
    const { child } = await started('quick')
    await sleep(1_000)
    t.equal(child.exitCode, null)
    child.kill('SIGTERM')
    await once(child, 'exit')
    const early = program
      .replace('stop.waitWith()', 'stop.waitWith(Promise.resolve())')
      .replace(/clearInterval[\s\S]*$/, 'clearInterval(alive)')
    const other = spawn(process.execPath, ['--input-type=module', '-e', early, 'quick'], { stdio: 'ignore' })
    t.same(await once(other, 'exit'), [0, null])
  },
)
