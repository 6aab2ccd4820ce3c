import { AppError } from '../base/errors.js'

export interface BridgeUrlOptions {
  /** Allow http:// to other machines: for networks that are protected by other means. */
  allowInsecure?: boolean
}

/**
 * The address of a bridge: http(s)://host[:port], nothing behind it. Replies are signed, but over plain http anyone on
 * the way sees who stores how much, when: so http is for this machine only (`bridge-insecure`). `bridge-url`: no such address.
 */
export function parseBridgeUrl(text: string, options: BridgeUrlOptions = {}): URL {
  const bad = (why: string) =>
    new AppError('bridge-url', `not the address of a bridge: ${why}`, {
      hint: 'write it like https://bridge.example.org',
    })
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw bad('it cannot be read')
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw bad(`it begins with ${url.protocol}`)
  if (url.username !== '' || url.password !== '') throw bad('it holds a user name or a password')
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') throw bad('something follows the host name')
  if (url.protocol === 'http:' && !options.allowInsecure && !isLoopback(url.hostname)) {
    throw new AppError('bridge-insecure', `http:// would let others watch what is said to ${url.host}`, {
      hint: 'use https://; plain http is for a bridge on this machine',
    })
  }
  return url
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname)
}
