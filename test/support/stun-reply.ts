/** What a STUN server answers (RFC 8489, RFC 5780), built beside the program's own reader. */
import { isIP } from 'node:net'
import type { Endpoint } from '../../src/rtc/stun.js'

const COOKIE = Buffer.from('2112a442', 'hex')

export function stunReply(transaction: Buffer, mapped: Endpoint, other?: Endpoint): Buffer {
  const mask = Buffer.concat([COOKIE, transaction])
  const attributes = [
    attribute(0x8022, Buffer.from('a server')),
    attribute(0x0020, xored(addressValue(mapped), mask)),
    ...(other === undefined ? [] : [attribute(0x802c, addressValue(other))]),
  ]
  const body = Buffer.concat(attributes)
  const head = Buffer.alloc(4)
  head.writeUInt16BE(0x0101, 0)
  head.writeUInt16BE(body.length, 2)
  return Buffer.concat([head, COOKIE, transaction, body])
}

function attribute(type: number, value: Buffer): Buffer {
  const head = Buffer.alloc(4)
  head.writeUInt16BE(type, 0)
  head.writeUInt16BE(value.length, 2)
  return Buffer.concat([head, value, Buffer.alloc(-value.length & 3)])
}

function addressValue({ address, port }: Endpoint): Buffer {
  const isOld = isIP(address) === 4
  const head = Buffer.from([0, isOld ? 1 : 2, port >> 8, port & 0xff])
  const bytes = isOld
    ? Buffer.from(address.split('.').map(Number))
    : Buffer.from(
        address
          .split(':')
          .map((group) => group.padStart(4, '0'))
          .join(''),
        'hex',
      )
  return Buffer.concat([head, bytes])
}

/** The port and the address, not the family. */
function xored(value: Buffer, mask: Buffer): Buffer {
  return Buffer.from(value.map((byte, at) => (at < 2 ? byte : at < 4 ? byte ^ mask[at - 2]! : byte ^ mask[at - 4]!)))
}
