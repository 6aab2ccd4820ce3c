/** Looks for secrets in bytes: as they are, as text of them (hex, base64 at every offset, UTF-16), wherever they lie. */
import fs from 'node:fs'
import path from 'node:path'

interface Form {
  name: string
  bytes: Buffer
}

/** Every form of each secret. Secrets of fewer than 16 bytes would be found by accident. */
export class LeakSearch {
  private readonly forms: Form[] = []

  add(name: string, secret: Buffer): void {
    if (secret.length < 16) throw new Error(`${name} is too short to look for`)
    const hex = secret.toString('hex')
    const text: [string, string][] = [
      ['hex', hex],
      ['HEX', hex.toUpperCase()],
      ...[0, 1, 2].flatMap((offset) => {
        const inner = base64At(secret, offset)
        const url = inner.replaceAll('+', '-').replaceAll('/', '_')
        const pair: [string, string][] = [[`base64+${offset}`, inner]]
        return url === inner ? pair : [...pair, [`base64url+${offset}`, url] as [string, string]]
      }),
    ]
    this.forms.push({ name: `${name} raw`, bytes: secret })
    for (const [form, value] of text) this.forms.push({ name: `${name} ${form}`, bytes: Buffer.from(value) })
    const wide = Buffer.from(secret.toString('latin1'), 'utf16le')
    this.forms.push({ name: `${name} utf-16le`, bytes: wide })
    this.forms.push({ name: `${name} utf-16be`, bytes: Buffer.from(wide).swap16() })
  }

  /** Names of what is found. */
  inBytes(bytes: Buffer): string[] {
    return this.forms.filter((form) => bytes.includes(form.bytes)).map((form) => form.name)
  }

  /** 'file: name' of what is found in any file below. */
  inFolder(folder: string): string[] {
    const found: string[] = []
    for (const entry of fs.readdirSync(folder, { withFileTypes: true, recursive: true })) {
      if (!entry.isFile()) continue
      const file = path.join(entry.parentPath, entry.name)
      found.push(...this.inBytes(fs.readFileSync(file)).map((name) => `${file}: ${name}`))
      found.push(...this.inBytes(Buffer.from(file)).map((name) => `path ${file}: ${name}`))
    }
    return found
  }
}

/** What base64 of anything shows that holds the secret behind `offset` (mod 3) other bytes; no digit depends on them. */
function base64At(secret: Buffer, offset: number): string {
  const whole = Buffer.concat([Buffer.alloc(offset), secret])
    .toString('base64')
    .replaceAll('=', '')
  const first = offset === 0 ? 0 : offset + 1
  const last = (offset + secret.length) % 3 === 0 ? whole.length : whole.length - 1
  return whole.slice(first, last)
}
