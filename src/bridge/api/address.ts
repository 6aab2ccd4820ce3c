/** Where a request came from: what rates and failure domains are counted by. */
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'

export type AddressOf = (request: IncomingMessage) => string

/** The last hop that a proxy of ours added, or the other end of the socket. */
export function addressFinder(behindProxy: boolean): AddressOf {
  return (request) => {
    const socketAddress = request.socket.remoteAddress ?? 'unknown'
    if (!behindProxy) return socketAddress
    const forwarded = request.headers['x-forwarded-for']
    const last =
      String(forwarded ?? '')
        .split(',')
        .at(-1)
        ?.trim() ?? ''
    return isIP(last) === 0 ? socketAddress : last
  }
}
