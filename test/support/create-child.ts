/**
 * A process that makes an account with its drive, or joins a drive, and may be killed at a failpoint:
 * node create-child.js account|drive|join PHRASE BRIDGE-URL STATE-DIR NAME. Prints the facts as JSON.
 */
import { setUpAccount, setUpDevice, setUpDrive } from '../../src/app/account-setup.js'

const [what = '', phrase = '', bridgeUrl = '', stateDir = '', driveName = ''] = process.argv.slice(2)
const work = { account: setUpAccount, drive: setUpDrive, join: setUpDevice }[what]
if (work === undefined) throw new Error(`what is ${what}?`)
work(phrase, { stateDir, bridgeUrl, driveName }).then(
  (facts) => console.log(JSON.stringify(facts)),
  ({ code, message }: { code?: string; message: string }) => {
    console.log(JSON.stringify({ code, message }))
    process.exitCode = 1
  },
)
