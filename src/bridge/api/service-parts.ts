/** The rooms behind the calls of the API. */
import type { Clock } from '../../base/clock.js'
import { AppError } from '../../base/errors.js'
import { hexOf } from '../../base/hex.js'
import type { SigningKey } from '../../crypto/signing-key.js'
import { signMark, verifyMark } from '../../permits/bridge-mark.js'
import type { Rooms } from '../rooms.js'
import type { BridgeService } from './service.js'

export function makeService(rooms: Rooms, facts: { clock: Clock; version: string; key: SigningKey }): BridgeService {
  const { accounts, chains, placements, commits, views, hosts, config, tokens, standings, losses, schemes, reach } =
    rooms
  const { store, reconciler, restatements } = rooms
  const mark = () => hexOf(signMark(store.incarnations.mark, facts.key))
  return {
    info: async () => ({
      bridge: tokens.bridge,
      incarnation: rooms.store.incarnation,
      time: Math.round(facts.clock.nowMs()),
      policy: config.policy,
      version: facts.version,
      ice: config.ice ?? [],
      scheme: { k: schemes.current().dataShards, n: schemes.current().totalShards },
      ...(store.incarnations.frozenSince === null ? {} : { frozenSince: store.incarnations.frozenSince }),
    }),
    reconcile: async ({ key }, request) => {
      if ((key as string) !== tokens.bridge) throw new AppError('not-yours', "this is for the bridge's own operator")
      if (request.begin === true) reconciler.begin()
      if (request.force === true) await reconciler.end()
      return reconciler.status()
    },
    createAccount: ({ key }, request) => accounts.create(key, request),
    createDrive: ({ key }, record, label) => accounts.createDrive(key, record, label),
    listDrives: ({ key }) => accounts.listDrives(key),
    listDevices: ({ key }, drive) => accounts.listDevices(key, drive),
    head: ({ key }, drive) => chains.head(key, drive),
    readChain: ({ key }, drive, from) => chains.read(key, drive, from),
    appendRecord: ({ key }, drive, record) => chains.append(key, drive, record),
    restoreChain: ({ key }, drive, records, label) => chains.restore(key, drive, records, label),
    restate: ({ key }, drive, request) => restatements.take(key, drive, request),
    heartbeat: ({ key }, drive, request) => chains.heartbeat(key, drive, request),
    place: ({ key }, drive, request) => placements.place(key, drive, request),
    commit: ({ key }, drive, request) => commits.commit(key, drive, request),
    locate: ({ key }, drive, request) => views.locate(key, drive, request),
    tokens: ({ key }, drive, request) => views.tokens(key, drive, request),
    health: ({ key }, drive) => views.health(key, drive),
    evidence: ({ key }, drive, request) => views.evidence(key, drive, request),
    space: async ({ key }) => {
      if (!(await rooms.access.isDevice(key))) throw new AppError('unknown-key', 'this key is of no device')
      return hosts.space(schemes.current())
    },
    registerHost: async ({ key, address }, request) => {
      await hosts.register(key, address, request)
      return { host: request.host, incarnation: store.incarnation, mark: mark() }
    },
    leaseRepair: ({ key }, request) => rooms.repairCalls.lease(key, request),
    repairDone: ({ key }, request) => rooms.repairCalls.done(key, request),
    status: ({ key }) => rooms.repairCalls.status(key),
    reportHost: async ({ key }, host, { mark: told, ...report }) => {
      const known = told === undefined ? null : verifyMark(Buffer.from(told, 'hex'), tokens.bridge)
      // Before the report counts: after it the host may be told to forget.
      if (known !== null) reconciler.learn(known)
      await hosts.report(key, host, report)
      return { mark: mark() }
    },
    standing: ({ key }, host) => standings.view(key, host),
    exit: ({ key }, host, request) => standings.exit(key, host, request),
    losses: async ({ key }, host, request) => {
      await losses.take(standings.own(key, host), request)
      return {}
    },
    knockHost: ({ key, address }, host, request) => reach.knock(key, address, host, request),
    dialHost: ({ key }, host) => reach.dial(key, host),
    transcript: ({ key }, host, id) => standings.transcript(key, host, id),
  }
}
