/** Files that a state directory, a host's and a bridge's folder, the runtime directory and a person's home hold. */
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { settleBridge } from '../../../src/app/bridge-settings.js'
import { readPhrase } from '../../../src/app/phrase-file.js'
import { readWorkerFile } from '../../../src/app/repair-process.js'
import { listRunningDrives } from '../../../src/app/running-drives.js'
import { systemRandom } from '../../../src/base/random.js'
import { loadBridgeKey } from '../../../src/bridge/bridge-key.js'
import { readMarkFile } from '../../../src/bridge/persist/mark-file.js'
import { deviceKeyFileIsProtected } from '../../../src/crypto/device-key-file.js'
import { openPhrase } from '../../../src/crypto/phrase.js'
import { expectOwnVolumes, readHostConfig } from '../../../src/host/folder.js'
import { decodeHostKey, encodeHostKey } from '../../../src/host/host-key.js'
import { readTrafficFile } from '../../../src/host/terms/month-meter.js'
import { hostId } from '../../../src/model/ids.js'
import { readDeviceKeys, readDriveFacts } from '../../../src/mount/account/drive-files.js'
import { setAsides, suspicionOf, unhealed } from '../../../src/mount/account/set-aside.js'
import type { Dice } from '../../support/dice.js'
import { mutateJson } from '../../support/mutate-json.js'
import { noiseBytes } from '../../support/noise.js'
import { scratchFolder } from '../../support/scratch-folder.js'
import { secretOf } from '../../support/secrets.js'
import { hex, readVectors } from '../../support/vectors.js'
import { type Opened, spoilBytes, type Target } from '../target.js'
import { keptDatabase } from './kept.js'
import { ledgers } from './old-ledger.js'

interface FileTarget {
  name: string
  of: readonly string[]
  /** In the folder. */
  file: string
  sound: unknown[] | Buffer[]
  read(folder: string, file: string): unknown
  codes: readonly string[]
  taken?: Opened['taken']
  secrets?: readonly Buffer[]
  prepare?(folder: string): void
}

/** Written as the input is, then read by whom it belongs to. Values are JSON, buffers are taken as they are. */
function fileTarget(spec: FileTarget): Target {
  const isJson = !Buffer.isBuffer(spec.sound[0])
  const samples = spec.sound.map((one) =>
    Buffer.isBuffer(one) ? one : Buffer.from(`${JSON.stringify(one, null, 2)}\n`),
  )
  const spoil = (dice: Dice) => (isJson ? mutateJson(dice, dice.pick(spec.sound)) : spoilBytes(dice, samples))
  const open = (): Opened => {
    const { folder, remove } = scratchFolder()
    spec.prepare?.(folder)
    const file = path.join(folder, spec.file)
    fs.mkdirSync(path.dirname(file), { recursive: true })
    return {
      samples,
      spoil,
      take: (input) => {
        fs.writeFileSync(file, input, { mode: 0o600 })
        return spec.read(folder, file)
      },
      codes: spec.codes,
      taken: spec.taken ?? 'sometimes',
      secrets: spec.secrets ?? [],
      close: remove,
    }
  }
  return { name: `file ${spec.name}`, of: spec.of, is: [`file ${spec.name}`], open }
}

const [id, other] = ['ab'.repeat(32), 'cd'.repeat(32)]
const NAME = 'canary: the name of a drive'
const driveJson = {
  ...{ version: 1, bridgeUrl: 'https://bridge.example.org', bridge: id, account: other },
  ...{ drive: 'ef'.repeat(16), name: NAME, device: id },
}
const hostJson = {
  ...{ version: 1, bridgeUrl: 'http://127.0.0.1:7400', bridge: id, capacityBytes: 2 ** 40 },
  ...{ domain: 'operator-7', udpPort: 4_433 },
}
const hostTerms = {
  payoutAddress: `0x${'aB'.repeat(20)}`,
  hours: { from: '22:30', to: '07:00' },
  zone: 'Europe/Madrid',
  upBytesPerSecondMax: 2_000_000,
  downBytesPerSecondMax: 10_000_000,
  monthBytesMax: 200_000_000_000,
}
const bridgeJson = {
  ...{ version: 1, listen: '127.0.0.1:7400', policy: 'standard', dataShards: 4, totalShards: 8 },
  ...{ publicUrl: 'https://bridge.example.org', ice: ['stun:stun.example:3478'] },
}

interface DeviceKeyVectors {
  seed: string
  labelKey: string
  bare: string
  protected: string
  passphrase: string
}
const deviceKey = readVectors<DeviceKeyVectors>('device-key/device-key')
/** Where a device key file says what its passphrase costs. */
const [COST_FROM, COST_TO] = [6, 14]

/** What a changed file asks of Argon2id is within the limits and may still cost a second: such files are told by their header. */
async function openProtected(folder: string, file: string): Promise<unknown> {
  const bytes = fs.readFileSync(file)
  const sameCost = hex(deviceKey.protected).subarray(COST_FROM, COST_TO).equals(bytes.subarray(COST_FROM, COST_TO))
  if (!sameCost && deviceKeyFileIsProtected(bytes)) return
  return readDeviceKeys(folder, secretOf(Buffer.from(deviceKey.passphrase)))
}

const HOST_SEED = noiseBytes(11, 32)
const bridgeKeyFile = Buffer.concat([Buffer.from('SDBK\x01', 'latin1'), noiseBytes(12, 32)])

const files = [
  fileTarget({
    name: 'drive.json',
    of: ['src/mount/account/drive-files.ts', 'src/base/folders.ts', 'src/wire/check.ts'],
    file: 'drive.json',
    sound: [driveJson],
    read: readDriveFacts,
    codes: ['state-damaged'],
    secrets: [Buffer.from(NAME)],
  }),
  fileTarget({
    name: 'device.key, bare',
    of: ['src/mount/account/drive-files.ts', 'src/crypto/device-key-file.ts'],
    file: 'device.key',
    sound: [hex(deviceKey.bare)],
    read: (folder) => readDeviceKeys(folder),
    codes: ['state-damaged', 'unsupported-version', 'passphrase-needed'],
    secrets: [hex(deviceKey.seed), hex(deviceKey.labelKey)],
  }),
  fileTarget({
    name: 'device.key, protected',
    of: ['src/crypto/device-key-file.ts'],
    file: 'device.key',
    sound: [hex(deviceKey.protected)],
    read: openProtected,
    codes: ['state-damaged', 'malformed', 'unsupported-version', 'wrong-passphrase'],
    secrets: [hex(deviceKey.seed), hex(deviceKey.labelKey)],
  }),
  fileTarget({
    name: 'about.json',
    of: ['src/mount/account/set-aside.ts', 'src/base/folders.ts', 'src/wire/check.ts'],
    file: 'damaged/2027-01-15T080000/about.json',
    sound: [
      { version: 1, reason: 'a page is spoilt', timeMs: 1_700_000_000_000, stage: 'moving' },
      {
        ...{ version: 1, reason: '', timeMs: 0, stage: 'healed' },
        outcome: { lines: ['healed'], files: [{ path: 'a/b', bytes: 7, now: 'stored' }] },
      },
    ],
    read: (folder) => {
      setAsides(folder)
      unhealed(folder)
    },
    codes: [],
    taken: 'always',
  }),
  fileTarget({
    name: 'ledger.suspect',
    of: ['src/mount/account/set-aside.ts', 'src/base/folders.ts', 'src/wire/check.ts'],
    file: 'ledger.suspect',
    sound: [{ version: 1, reason: 'staged row 7 does not open', isWish: false }],
    read: (folder) => suspicionOf(folder),
    codes: [],
    taken: 'always',
  }),
  fileTarget({
    name: 'host.json',
    of: ['src/host/folder.ts', 'src/host/config.ts', 'src/base/folders.ts', 'src/wire/check.ts'],
    file: 'host.json',
    sound: [hostJson, { ...hostJson, domain: undefined, udpPort: undefined }, { ...hostJson, ...hostTerms }],
    read: readHostConfig,
    codes: ['malformed'],
  }),
  fileTarget({
    name: 'traffic.json',
    of: ['src/host/terms/month-meter.ts', 'src/base/folders.ts', 'src/wire/check.ts'],
    file: 'traffic.json',
    sound: [{ version: 1, month: '2027-01', sentBytes: 2 ** 40, receivedBytes: 0 }],
    read: (_folder, file) => readTrafficFile(file),
    codes: ['malformed'],
  }),
  fileTarget({
    name: 'host.key',
    of: ['src/host/folder.ts', 'src/host/host-key.ts'],
    file: 'host.key',
    sound: [encodeHostKey(secretOf(HOST_SEED))],
    read: (_folder, file) => decodeHostKey(fs.readFileSync(file), file),
    codes: ['malformed', 'unsupported-version'],
    secrets: [HOST_SEED],
  }),
  fileTarget({
    name: 'host.id',
    of: ['src/host/folder.ts'],
    file: 'host.id',
    sound: [Buffer.from(`${id}\n`)],
    read: (folder) => expectOwnVolumes(folder, hostId(id)),
    codes: ['host-folder-wrong', 'malformed'],
  }),
  fileTarget({
    name: 'bridge.json',
    of: ['src/app/bridge-settings.ts', 'src/base/folders.ts', 'src/wire/check.ts'],
    file: 'bridge.json',
    sound: [
      { ...bridgeJson, workers: [other], repairsHere: false },
      { ...bridgeJson, publicUrl: undefined, ice: undefined, dataShards: undefined, totalShards: undefined },
    ],
    read: (folder) => settleBridge(folder, {}),
    codes: ['malformed', 'bridge-url'],
  }),
  fileTarget({
    name: 'repair.json',
    of: ['src/app/repair-process.ts', 'src/base/folders.ts', 'src/wire/check.ts'],
    file: 'repair.json',
    sound: [{ version: 1, bridgeUrl: 'https://bridge.example.org', bridge: id }],
    read: (folder) => readWorkerFile(folder),
    codes: ['malformed'],
  }),
  fileTarget({
    name: 'bridge.mark',
    of: ['src/bridge/persist/mark-file.ts', 'src/base/folders.ts', 'src/wire/check.ts'],
    file: 'bridge.mark',
    sound: [{ version: 1, incarnation: 1_700_000_000, tick: 77, nonce: 'ab'.repeat(16) }],
    // What cannot be read tells that nobody knows which database was here.
    read: (folder) => readMarkFile(folder),
    codes: [],
    taken: 'always',
  }),
  fileTarget({
    name: 'bridge.key',
    of: ['src/bridge/bridge-key.ts', 'src/base/folders.ts'],
    file: 'bridge.key',
    sound: [bridgeKeyFile],
    read: (folder) => loadBridgeKey(folder, systemRandom),
    codes: ['bridge-key-broken'],
    secrets: [noiseBytes(12, 32)],
  }),
]

/** What a daemon left for commands in another terminal; whatever is in it, they only look for what answers. */
function announcedDrive(): Target {
  const open = (): Opened => {
    const { folder, remove } = scratchFolder()
    const before = process.env.XDG_RUNTIME_DIR
    process.env.XDG_RUNTIME_DIR = folder
    const drives = path.join(folder, 'shardrive', 'drives')
    fs.mkdirSync(drives, { recursive: true })
    const control = path.join(folder, 'c.sock')
    const server = net.createServer((socket) => socket.destroy()).listen(control)
    const sound = { state: '/home/user/state', mountPoint: '/home/user/drive', control, pid: 7 }
    return {
      samples: [Buffer.from(JSON.stringify(sound)), Buffer.from(JSON.stringify({ ...sound, mountPoint: null }))],
      spoil: (dice) => mutateJson(dice, sound),
      take: async (input, isSound) => {
        fs.writeFileSync(path.join(drives, 'one.json'), input)
        const found = await listRunningDrives()
        if (isSound && found.length !== 1) throw new Error('not found')
        // The same place may be written with more slashes.
        if (found.some((one) => path.resolve(one.control) !== control)) throw new Error(JSON.stringify(found))
      },
      codes: [],
      taken: 'always',
      close: () => {
        server.close()
        if (before === undefined) delete process.env.XDG_RUNTIME_DIR
        else process.env.XDG_RUNTIME_DIR = before
        remove()
      },
    }
  }
  return { name: 'file of a running drive', of: ['src/app/running-drives.ts'], is: ['file of a running drive'], open }
}

const PHRASE = readVectors<{ phrase: string }>('keys/keys').phrase
/** Two words side by side are as good as the whole to one who guesses: none of them is ever said. */
const PHRASE_SECRETS = [Buffer.from(PHRASE), Buffer.from('abandon abandon abandon')]

const phraseFile = fileTarget({
  name: 'of the phrase',
  of: ['src/app/phrase-file.ts', 'src/app/secret-input.ts', 'src/crypto/phrase.ts'],
  file: 'phrase',
  sound: [Buffer.from(`${PHRASE}\n`)],
  read: async (_folder, file) => {
    // A phrase that is one costs its 2,048 rounds, which is not what is tried here.
    const text = await readPhrase(file)
    if (text.trim() !== PHRASE) await openPhrase(text)
  },
  codes: ['wrong-phrase', 'secret-unreadable'],
  secrets: PHRASE_SECRETS,
})

export const fileTargets: readonly Target[] = [...files, announcedDrive(), phraseFile, keptDatabase(), ...ledgers()]
