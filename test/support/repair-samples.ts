/** What a bridge tells repair workers, its operator and a drive that asks for its health, as an honest one does. */
import { readVectors } from './vectors.js'

const [id, other] = ['ab'.repeat(32), 'cd'.repeat(32)]
const drive = 'd'.repeat(32)
const token = readVectors<{ put: { encoded: string } }>('token/token').put.encoded

export const leasedJob = {
  ...{
    lease: 7,
    until: 1_700_000_000_000,
    segment: id,
    k: 2,
    n: 4,
    shardLength: 2_048,
    shards: [id, other, id, other],
  },
  sources: [0, 1].map((index) => ({ index, host: id, token })),
  targets: [
    { index: 2, host: other, token, copyFrom: null },
    { index: 3, host: other, token, copyFrom: { host: id, token } },
  ],
}
export const bridgeStatus = {
  ...{ time: 5, scheme: { k: 4, n: 8 }, frozen: false, deletions: 3 },
  hosts: {
    ...{ online: 1, total: 2, away: 1, leaving: 0 },
    states: { good: 1, watch: 1, suspended: 0, review: 0, removed: 0 },
  },
  repairs: {
    ...{ queued: 1, endangered: 1, waiting: 1, waitingDrives: [{ drive, segments: 1 }], dead: 0, leased: 0 },
    ...{ heldUntil: null, lossesPerHostDay: 0.001 },
  },
}

export const health = {
  ...{ segments: 9, full: 8, short: [{ segment: id, stored: 7, n: 8 }], unconfirmed: 1, bytes: 2 ** 40 },
  ...{ policy: 'standard', durable: true },
}
