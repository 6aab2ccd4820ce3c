/** A strict reader of property lists: exactly what Apple's DTD allows of dict, array, string, integer, true and false. */
export type PlistValue = string | number | boolean | PlistValue[] | { [key: string]: PlistValue }

const HEAD =
  /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<!DOCTYPE plist PUBLIC "-\/\/Apple\/\/DTD PLIST 1\.0\/\/EN" "http:\/\/www\.apple\.com\/DTDs\/PropertyList-1\.0\.dtd">\n/
const TOKEN = /\s*(?:<!--(?:(?!--)[\s\S])*-->\s*)*(<(\/?)([a-z]+)(?: version="1\.0")?(\/?)>|$)/y

export function parsePlist(xml: string): PlistValue {
  const head = HEAD.exec(xml)
  if (head === null) throw new Error('no head of a property list')
  const reader = new Reader(xml, head[0].length)
  reader.open('plist')
  const value = reader.value()
  reader.close('plist')
  reader.end()
  return value
}

class Reader {
  private at: number
  private readonly xml: string

  constructor(xml: string, at: number) {
    this.xml = xml
    this.at = at
  }

  private tag(): { name: string; isEnd: boolean; isEmpty: boolean } {
    TOKEN.lastIndex = this.at
    const found = TOKEN.exec(this.xml)
    if (found === null) throw new Error(`no tag at ${this.at}: ${this.xml.slice(this.at, this.at + 40)}`)
    this.at = TOKEN.lastIndex
    return { name: found[3] ?? '', isEnd: found[2] === '/', isEmpty: found[4] === '/' }
  }

  private peekEnd(): boolean {
    const { at } = this
    const { isEnd } = this.tag()
    this.at = at
    return isEnd
  }

  open(name: string): void {
    const tag = this.tag()
    if (tag.name !== name || tag.isEnd || tag.isEmpty) throw new Error(`<${name}> wanted at ${this.at}`)
  }

  close(name: string): void {
    const tag = this.tag()
    if (tag.name !== name || !tag.isEnd) throw new Error(`</${name}> wanted at ${this.at}`)
  }

  end(): void {
    if (this.tag().name !== '') throw new Error('something behind the list')
  }

  value(): PlistValue {
    const { name, isEnd, isEmpty } = this.tag()
    if (isEnd) throw new Error(`a value wanted at ${this.at}`)
    if (isEmpty && (name === 'true' || name === 'false')) return name === 'true'
    if (isEmpty) throw new Error(`<${name}/>`)
    if (name === 'string') return this.text('string')
    if (name === 'integer') return this.integer()
    if (name === 'array') return this.array()
    if (name === 'dict') return this.dict()
    throw new Error(`<${name}> is no value`)
  }

  private text(name: string): string {
    const end = this.xml.indexOf('<', this.at)
    const raw = this.xml.slice(this.at, end)
    this.at = end
    this.close(name)
    if (/&(?!amp;|lt;|gt;)|>/.test(raw)) throw new Error(`not escaped: ${raw}`)
    return raw.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')
  }

  private integer(): number {
    const text = this.text('integer')
    if (!/^\d+$/.test(text)) throw new Error(`no integer: ${text}`)
    return Number(text)
  }

  private array(): PlistValue[] {
    const values: PlistValue[] = []
    while (!this.peekEnd()) values.push(this.value())
    this.close('array')
    return values
  }

  private dict(): PlistValue {
    const values: Record<string, PlistValue> = {}
    while (!this.peekEnd()) {
      this.open('key')
      const key = this.text('key')
      if (key in values) throw new Error(`${key} comes twice`)
      values[key] = this.value()
    }
    this.close('dict')
    return values
  }
}
