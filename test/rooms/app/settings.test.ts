import t from 'tap'
import { formatBytes, formatDuration, parseBytes } from '../../../src/app/numbers.js'
import { standardPaths } from '../../../src/app/paths.js'

t.test('folders follow XDG; a relative setting is ignored', async (t) => {
  const linux = { home: '/home/you', platform: 'linux' } as const
  t.same(standardPaths({ ...linux, env: {} }), {
    configDir: '/home/you/.config/shardrive',
    stateDir: '/home/you/.local/state/shardrive',
    cacheDir: '/home/you/.cache/shardrive',
    runtimeDir: '/home/you/.local/state/shardrive/run',
  })
  const env = { XDG_STATE_HOME: '/s', XDG_CONFIG_HOME: 'relative', XDG_CACHE_HOME: '', XDG_RUNTIME_DIR: '/run/user/7' }
  t.same(standardPaths({ ...linux, env }), {
    configDir: '/home/you/.config/shardrive',
    stateDir: '/s/shardrive',
    cacheDir: '/home/you/.cache/shardrive',
    runtimeDir: '/run/user/7/shardrive',
  })
})

t.test('folders on macOS are where Apple wants them', async (t) => {
  const paths = standardPaths({ env: {}, home: '/home/you', platform: 'darwin' })
  t.equal(paths.configDir, '/home/you/Library/Application Support/shardrive')
  t.equal(paths.cacheDir, '/home/you/Library/Caches/shardrive')
})

t.test('sizes are written and read in binary units; ambiguous ones are refused', async (t) => {
  t.same([0, 1023, 1024, 1536, 150 * 1024, 2 ** 30].map(formatBytes), [
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.5 KiB',
    '150 KiB',
    '1.0 GiB',
  ])
  t.same(['0', '4096', '512MiB', '10 GiB', '1.5G', '7B'].map(parseBytes), [
    0,
    4096,
    2 ** 29,
    10 * 2 ** 30,
    1.5 * 2 ** 30,
    7,
  ])
  for (const bad of ['', '10GB', '-1', '1e9', 'GiB', '1.5.2K', '999999999999PiB'])
    t.throws(() => parseBytes(bad), { code: 'usage' }, bad)
})

t.test('ages are told in their two largest units', async (t) => {
  t.same([7, 999, 61_000, 3_600_000, 93_784_000].map(formatDuration), ['7 ms', '999 ms', '1 min 1 s', '1 h', '1 d 2 h'])
})
