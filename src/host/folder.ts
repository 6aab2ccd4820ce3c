/**
 * A host's folder: `host.key` (its identity), `host.json` (config.ts), `volumes/`, `index.db`, `kept.db`, `traffic.json`. The volumes folder carries the host's id, so that a disk that is not mounted there is noticed before
 * anything is written to the empty folder below it. One process at a time.
 */
import fs from 'node:fs'
import path from 'node:path'
import { AppError, isCode } from '../base/errors.js'
import { explained, makeFolder, readSmall, writeWhole } from '../base/folders.js'
import type { RandomBytes } from '../base/random.js'
import { SecretBytes, wipeAfter } from '../crypto/secret.js'
import { SEED_BYTES, SigningKey } from '../crypto/signing-key.js'
import { type HostId, hostId } from '../model/ids.js'
import { lockFolder } from '../sqlite/lock.js'
import { decodeHostConfig, type HostConfig } from './config.js'
import { MARK_FILE } from './disk/probe.js'
import { decodeHostKey, encodeHostKey } from './host-key.js'

export interface HostFolder {
  dir: string
  config: HostConfig
  host: HostId
  key: SigningKey
  /** Of the key: volume checksums derive from it. */
  seed: SecretBytes
  volumesDir: string
  indexFile: string
  keptFile: string
  trafficFile: string
  /** Gives the lock back and wipes the keys. */
  release(): void
}

const KEY_FILE = 'host.key'
const CONFIG_FILE = 'host.json'
const CONFIG_BYTES_MAX = 65_536

/** Makes the folder of a new host. `host-exists` when there is one; what a stopped init left behind is finished. */
export function initHostFolder(dir: string, config: HostConfig, random: RandomBytes): HostId {
  return explained(dir, () => {
    const volumesDir = path.join(dir, 'volumes')
    makeFolder(volumesDir)
    if (fs.existsSync(path.join(dir, CONFIG_FILE))) {
      throw new AppError('host-exists', `${dir} holds a host already`, { hint: 'start it with: shardrive host run' })
    }
    const seed = SecretBytes.random(SEED_BYTES, random)
    return wipeAfter([seed], () => {
      const key = SigningKey.fromSeed(seed)
      const host = hostId(key.publicKey)
      key.wipe()
      const encoded = encodeHostKey(seed)
      writeWhole(path.join(dir, KEY_FILE), encoded)
      encoded.fill(0)
      writeWhole(path.join(volumesDir, MARK_FILE), `${host}\n`)
      // Last: a folder with a configuration is whole.
      writeHostConfig(dir, config)
      return host
    })
  })
}

export function writeHostConfig(dir: string, config: HostConfig): void {
  writeWhole(path.join(dir, CONFIG_FILE), `${JSON.stringify(config, null, 2)}\n`)
}

export function readHostConfig(dir: string): HostConfig {
  return decodeHostConfig(readOwn(dir, CONFIG_FILE), path.join(dir, CONFIG_FILE))
}

/** `host-folder-wrong`, `host-already-running`, `malformed`. Does not look into volumes. */
export function openHostFolder(dir: string): HostFolder {
  return explained(dir, () => {
    const config = readHostConfig(dir)
    const release = lock(dir)
    try {
      const encoded = readOwn(dir, KEY_FILE)
      const seed = decodeHostKey(encoded, path.join(dir, KEY_FILE))
      encoded.fill(0)
      const key = SigningKey.fromSeed(seed)
      const host = hostId(key.publicKey)
      const volumesDir = path.join(dir, 'volumes')
      expectOwnVolumes(volumesDir, host)
      const wipe = () => {
        key.wipe()
        seed.wipe()
        release()
      }
      const files = {
        indexFile: path.join(dir, 'index.db'),
        keptFile: path.join(dir, 'kept.db'),
        trafficFile: path.join(dir, 'traffic.json'),
      }
      return { dir, config, host, key, seed, volumesDir, ...files, release: wipe }
    } catch (error) {
      release()
      throw error
    }
  })
}

/** The host's key, for a call to the bridge while another process may run the host: takes no lock. */
export function readHostKey(dir: string): SigningKey {
  return explained(dir, () => {
    const encoded = readOwn(dir, KEY_FILE)
    const seed = decodeHostKey(encoded, path.join(dir, KEY_FILE))
    encoded.fill(0)
    return wipeAfter([seed], () => SigningKey.fromSeed(seed))
  })
}

/** `host-folder-wrong` when the disk that is mounted there is none of this host. */
export function expectOwnVolumes(volumesDir: string, host: HostId): void {
  if (readOwn(volumesDir, MARK_FILE).toString('latin1').trim() === host) return
  throw wrongFolder(volumesDir, 'belongs to another host')
}

function lock(dir: string): () => void {
  try {
    return lockFolder(path.join(dir, 'host.lock'))
  } catch (error) {
    if (!isCode(error, 'folder-locked')) throw error
    throw new AppError('host-already-running', `another process runs the host in ${dir}`, { cause: error })
  }
}

function readOwn(dir: string, name: string): Buffer {
  try {
    return readSmall(path.join(dir, name), CONFIG_BYTES_MAX)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw wrongFolder(dir, `has no ${name}`)
  }
}

function wrongFolder(dir: string, why: string): AppError {
  return new AppError('host-folder-wrong', `${dir} ${why}`, {
    hint: 'is the disk mounted? a new host is made with: shardrive host init',
  })
}
