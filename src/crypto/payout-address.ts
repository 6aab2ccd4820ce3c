/** Where earnings go: an address of an EVM chain. Only the address: no key is ever asked for, derived or taken. */
import { AppError } from '../base/errors.js'

/** With its checksum in upper and lower case; one that is written in one case alone has none to check. `usage`. */
export async function checkPayoutAddress(text: string): Promise<string> {
  const typed = text.trim()
  if (/^(0x)?[0-9a-fA-F]{64}$/.test(typed)) {
    throw new AppError(
      'usage',
      'this may be a private key, not an address: it was not taken, and nobody should be shown it',
      {
        hint: 'an address is 0x and 40 digits; the wallet shows it under receive',
      },
    )
  }
  const { getAddress } = await import('ethers')
  try {
    if (/^0x[0-9a-fA-F]{40}$/.test(typed)) return getAddress(typed)
  } catch {
    throw new AppError('usage', 'the payout address has a typing error: its checksum is wrong', {
      hint: 'copy it again from the wallet',
    })
  }
  throw new AppError('usage', 'this is no payout address', {
    hint: 'an address is 0x and 40 digits, like the wallet shows it',
  })
}
