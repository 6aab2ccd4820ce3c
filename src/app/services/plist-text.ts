/** A property list of launchd for one order: the file of launchd/ with the values changed that differ from machine to machine. */
import { assert } from '../../base/assert.js'
import { type Order, unitNameOf, wordsOf } from './order.js'

export function plistText(template: string, order: Order, logFile: string): string {
  const values: [string, string][] = [
    ['Label', string(unitNameOf(order))],
    ['ProgramArguments', array([...order.program, ...wordsOf(order)])],
    ['StandardOutPath', string(logFile)],
    ['StandardErrorPath', string(logFile)],
  ]
  let text = template
  for (const [key, value] of values) text = withValue(text, key, value)
  if (order.scope === 'user' || order.runAs === null) return text
  const user = `\t<key>UserName</key>\n\t${string(order.runAs)}\n`
  return text.replace('\t<key>ProgramArguments</key>', () => `${user}\t<key>ProgramArguments</key>`)
}

function withValue(text: string, key: string, value: string): string {
  const pattern = new RegExp(`(<key>${key}</key>\\s*)(?:<string>[^<]*</string>|<array>[\\s\\S]*?</array>)`, 'g')
  const found = [...text.matchAll(pattern)]
  assert(found.length === 1, `the list has one ${key}`)
  return text.replace(pattern, (_, before: string) => before + value)
}

function array(texts: readonly string[]): string {
  return `<array>\n${texts.map((one) => `\t\t${string(one)}\n`).join('')}\t</array>`
}

function string(text: string): string {
  return `<string>${text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')}</string>`
}
