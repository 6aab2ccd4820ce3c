/** What a process takes from outside itself. Tests bring time, randomness and peers of their own. */
import { type Clock, systemClock } from '../base/clock.js'
import { type RandomBytes, systemRandom } from '../base/random.js'
import type { PeerNetwork } from '../rtc/peer-network.js'
import { openPeers, type PeerSettings } from './peers.js'

export interface Surroundings {
  clock: Clock
  random: RandomBytes
  openPeers(settings: PeerSettings): PeerNetwork
}

export const REAL_SURROUNDINGS: Surroundings = { clock: systemClock, random: systemRandom, openPeers }
