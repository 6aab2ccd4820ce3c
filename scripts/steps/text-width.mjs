// Columns that a text takes on a terminal, for the program's help: plain text, ANSI colours aside. Takes the place of the package
// `string-width` in the program (javascript.mjs), whose tables of emoji cost each start 40 ms of CPU.
const COLOURS = /\u001b\[[0-9;]*m/g

// biome-ignore lint/style/noDefaultExport: the package has one
export default function textWidth(text) {
  return [...text.replace(COLOURS, '')].length
}
