/**
 * The one datagram outside of WebRTC: the bridge sends it to a host that asked for it, from an address and port that the
 * host has sent nothing to (docs/protocol.md section 3). If it arrives, anybody's packets do.
 * magic `SDKN`, version u8 = 1, nonce 16.
 */
import { ByteReader } from '../base/byte-reader.js'
import { ByteWriter } from '../base/byte-writer.js'

const MAGIC = Buffer.from('SDKN', 'latin1')
const VERSION = 1
const NONCE_BYTES = 16

export function encodeKnock(nonce: Uint8Array): Buffer {
  return new ByteWriter(21).fixed(MAGIC, MAGIC.length).u8(VERSION).fixed(nonce, NONCE_BYTES).bytes()
}

/** The nonce. `malformed`. */
export function decodeKnock(datagram: Uint8Array): Buffer {
  const reader = new ByteReader(datagram, 'knock')
  reader.expectMagic('SDKN')
  if (reader.u8() !== VERSION) throw reader.malformed('another version')
  const nonce = reader.fixed(NONCE_BYTES)
  reader.end()
  return nonce
}
