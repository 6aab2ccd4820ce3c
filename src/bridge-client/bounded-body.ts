import { AppError } from '../base/errors.js'

/** A reply's body, whole, or `malformed` as soon as it is longer than it may be. */
export async function readBounded(response: Response, bytesMax: number): Promise<Buffer> {
  if (!response.body) return Buffer.alloc(0)
  const chunks: Uint8Array[] = []
  let size = 0
  const reader = response.body.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return Buffer.concat(chunks, size)
    size += value.length
    if (size > bytesMax) {
      await reader.cancel().catch(() => {})
      throw new AppError('malformed', `the bridge answered with more than ${bytesMax} bytes`)
    }
    chunks.push(value)
  }
}
