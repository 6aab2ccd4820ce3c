/** A network namespace for a whole test file, so that it may drop packets: the file runs again inside one. */
import { spawn, spawnSync } from 'node:child_process'

const MARK = 'SHARDRIVE_TEST_OWN_NETWORK'

/** Why it cannot be had here; null: it can. */
export function noOwnNetwork(): string | null {
  if (process.geteuid?.() !== 0) return 'only root makes network namespaces'
  return spawnSync('nft', ['--version']).status === 0 ? null : 'install nftables'
}

/** True inside. Outside it runs this file inside and ends with its exit code. */
export async function inOwnNetwork(): Promise<boolean> {
  if (process.env[MARK] !== undefined) return true
  const inside = ['sh', '-c', 'ip link set lo up && exec "$@"', 'sh', process.execPath, ...process.argv.slice(1)]
  const child = spawn('unshare', ['--net', '--', ...inside], { stdio: 'inherit', env: { ...process.env, [MARK]: '1' } })
  process.exitCode = await new Promise<number>((resolve) => {
    child.once('exit', (code) => resolve(code ?? 1))
  })
  return false
}

/** Of what goes over the loopback interface of this namespace; 0: everything arrives again. */
export function dropShare(percent: number): void {
  const none = 'table ip faults {}\ndelete table ip faults'
  const which = percent === 100 ? '' : ` numgen random mod 100 < ${percent}`
  const chain = `type filter hook input priority 0; iif lo${which} drop`
  const rules = percent === 0 ? none : `${none}\ntable ip faults {\n chain in {\n ${chain}\n }\n}`
  const ran = spawnSync('nft', ['-f', '-'], { input: rules, encoding: 'utf8' })
  if (ran.status !== 0) throw new Error(`nft: ${ran.stderr}`)
}
