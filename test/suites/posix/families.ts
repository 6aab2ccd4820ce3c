/** All of the suite, in the order in which it runs. */
import { bytes } from './bytes.js'
import { descriptors } from './descriptors.js'
import { frozen } from './frozen.js'
import { listing } from './listing.js'
import { locks } from './locks.js'
import { makes } from './makes.js'
import { opens } from './opens.js'
import { owners } from './owners.js'
import { paths } from './paths.js'
import { permissions } from './permissions.js'
import { races } from './races.js'
import { removal } from './removal.js'
import { renames } from './renames.js'
import type { Family } from './suite.js'
import { times } from './times.js'
import { volume } from './volume.js'
import { xattrs } from './xattrs.js'

export const FAMILIES: readonly Family[] = [
  ...[paths, makes, removal, renames, permissions, owners, times],
  ...[opens, bytes, locks, xattrs, listing, volume, descriptors, races, frozen],
]
