/** Units of service managers: one that somebody changed is never taken for one of ours. */
import fs from 'node:fs'
import path from 'node:path'
import { installedFacts } from '../../../src/app/services/files.js'
import { marked } from '../../../src/app/services/mark.js'
import { scratchFolder } from '../../support/scratch-folder.js'
import type { Opened, Target } from '../target.js'

const facts = { kind: 'host', scope: 'user', unit: 'shardrive-host.service', dir: '/srv/a--b' } as const

function open(): Opened {
  const { folder, remove } = scratchFolder()
  const file = path.join(folder, facts.unit)
  return {
    samples: [Buffer.from(marked('[Service]\n', facts)), Buffer.from(marked('<?xml version="1.0"?>\n', facts))],
    take: (input) => {
      fs.writeFileSync(file, input)
      return installedFacts(file)
    },
    codes: ['service-foreign'],
    taken: 'never',
    close: remove,
  }
}

export const unitTargets: readonly Target[] = [
  {
    name: 'file unit of a service',
    of: ['src/app/services/files.ts', 'src/app/services/mark.ts'],
    is: ['file unit of a service'],
    open,
  },
]
