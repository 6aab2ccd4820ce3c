/**
 * The address of a STUN or TURN server as the library takes it: `stun:host[:port]`, `turn:user:password@host[:port]`,
 * with `?transport=udp` behind it or not. Names in it are not looked up here.
 */
export interface IceServer {
  kind: 'stun' | 'turn'
  host: string
  port: number
  /** `user:password@`, as it is written; empty without. */
  credentials: string
}

/** RFC 8489 and RFC 8656. */
export const STUN_PORT = 3478

const FORM =
  /^(stun|turn):(?:\/\/)?((?:[^@\s]*@)?)(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?(?:\?transport=udp)?$/

/** Undefined: none that can be spoken to over UDP (`turns:`, `?transport=tcp`, or no such address at all). */
export function parseIceServer(text: string): IceServer | undefined {
  const parts = FORM.exec(text)
  if (parts === null) return undefined
  const port = parts[5] === undefined ? STUN_PORT : Number(parts[5])
  const host = parts[3] ?? parts[4] ?? ''
  if (host === '' || port < 1 || port > 65_535) return undefined
  return { kind: parts[1] as 'stun' | 'turn', host, port, credentials: parts[2] ?? '' }
}
