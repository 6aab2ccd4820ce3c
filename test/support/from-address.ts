/** Connections of one process come from many loopback addresses, so that a bridge sees hosts in many networks. */
import http from 'node:http'

let isInstalled = false

/**
 * What goes to `http://<address>:port`, HTTP and WebSockets, arrives at 127.0.0.1 and leaves from that address. `address`:
 * of 127.0.0.0/8, not 127.0.0.1.
 */
export function comeFromWhereTheyGo(): void {
  if (isInstalled) return
  isInstalled = true
  const request = http.request as (...words: unknown[]) => http.ClientRequest
  // Both ways in which it is called here: (url, options, listener) and (options).
  const bound = (words: unknown[]): unknown[] => {
    const [url, options, ...rest] = words[0] instanceof URL ? words : [null, ...words]
    const asked = options as http.RequestOptions
    const localAddress = url instanceof URL ? url.hostname : (asked.hostname ?? asked.host ?? '')
    if (!localAddress.startsWith('127.') || localAddress === '127.0.0.1') return words
    const near = { ...asked, hostname: '127.0.0.1', host: '127.0.0.1', localAddress }
    return url === null ? [near, ...rest] : [url, near, ...rest]
  }
  http.request = ((...words: unknown[]) => request(...bound(words))) as typeof http.request
}
