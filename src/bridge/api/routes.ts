/** The table of calls: path, what the body must be, and which method of the service answers. */

import { AppError } from '../../base/errors.js'
import { driveId, hostId } from '../../model/ids.js'
import { joinRecords, splitRecords } from '../../permits/chain-record.js'
import * as api from '../../wire/api.js'
import { decodeJson } from '../../wire/check.js'
import * as hostApi from '../../wire/host-api.js'
import * as repairApi from '../../wire/repair-api.js'
import type { Static, TSchema } from '../../wire/schema.js'
import type { BridgeService, Caller } from './service.js'

export interface CallInput {
  caller: Caller
  params: Record<string, string>
  query: Record<string, string>
  body: Buffer
  label: string
}

export interface Route {
  method: 'GET' | 'POST'
  path: string
  /** Largest request body; 0 for none. */
  bodyBytesMax: number
  /** Answered with JSON (an object) or bytes (a Buffer). */
  run(service: BridgeService, input: CallInput): Promise<object | Buffer>
}

const LABEL = /^([0-9a-f]{2}){0,1024}$/
const DRIVE = '/v1/drives/:drive'
const HOST = '/v1/hosts/:host'

function get(path: string, run: Route['run']): Route {
  return { method: 'GET', path, bodyBytesMax: 0, run }
}

function postBytes(path: string, run: Route['run']): Route {
  return { method: 'POST', path, bodyBytesMax: api.API_LIMITS.bytesMax, run }
}

function postJson<T extends TSchema>(
  path: string,
  schema: T,
  run: (service: BridgeService, input: CallInput, request: Static<T>) => Promise<object>,
): Route {
  const decodeAndRun: Route['run'] = (service, input) =>
    run(service, input, decodeJson(schema, input.body, `POST ${path}`))
  return { method: 'POST', path, bodyBytesMax: api.API_LIMITS.jsonBytesMax, run: decodeAndRun }
}

function driveOf(input: CallInput) {
  return driveId(input.params.drive)
}

function fromOf(input: CallInput): number {
  const text = input.query.from ?? '0'
  if (!/^(0|[1-9][0-9]{0,14})$/.test(text)) throw new AppError('malformed', 'from is not a sequence number')
  return Number(text)
}

function hostOf(input: CallInput) {
  return hostId(input.params.host)
}

function transcriptOf(input: CallInput): number {
  const text = input.params.id ?? ''
  if (!/^[1-9][0-9]{0,14}$/.test(text)) throw new AppError('malformed', 'the id is not of a transcript')
  return Number(text)
}

function labelOf(input: CallInput): Buffer {
  if (!LABEL.test(input.label)) throw new AppError('malformed', 'the label is not hex of at most 1,024 bytes')
  return Buffer.from(input.label, 'hex')
}

export const ROUTES: readonly Route[] = [
  postJson('/v1/accounts', api.AccountRequest, (service, { caller }, request) =>
    service.createAccount(caller, request),
  ),
  postBytes('/v1/drives', (service, input) => service.createDrive(input.caller, input.body, labelOf(input))),
  get('/v1/drives', (service, { caller }) => service.listDrives(caller)),
  get(`${DRIVE}/devices`, (service, input) => service.listDevices(input.caller, driveOf(input))),
  get(`${DRIVE}/head`, (service, input) => service.head(input.caller, driveOf(input))),
  get(`${DRIVE}/chain`, async (service, input) =>
    joinRecords(await service.readChain(input.caller, driveOf(input), fromOf(input))),
  ),
  postBytes(`${DRIVE}/chain`, (service, input) => service.appendRecord(input.caller, driveOf(input), input.body)),
  postBytes(`${DRIVE}/chain/restore`, (service, input) =>
    service.restoreChain(input.caller, driveOf(input), splitRecords(input.body), labelOf(input)),
  ),
  postJson(`${DRIVE}/restate`, api.RestateRequest, (service, input, request) =>
    service.restate(input.caller, driveOf(input), request),
  ),
  postJson(`${DRIVE}/heartbeat`, api.HeartbeatRequest, (service, input, request) =>
    service.heartbeat(input.caller, driveOf(input), request),
  ),
  postJson(`${DRIVE}/place`, api.PlaceRequest, (service, input, request) =>
    service.place(input.caller, driveOf(input), request),
  ),
  postJson(`${DRIVE}/commit`, api.CommitRequest, (service, input, request) =>
    service.commit(input.caller, driveOf(input), request),
  ),
  postJson(`${DRIVE}/locate`, api.LocateRequest, (service, input, request) =>
    service.locate(input.caller, driveOf(input), request),
  ),
  postJson(`${DRIVE}/tokens`, api.TokensRequest, (service, input, request) =>
    service.tokens(input.caller, driveOf(input), request),
  ),
  get(`${DRIVE}/health`, (service, input) => service.health(input.caller, driveOf(input))),
  postJson(`${DRIVE}/evidence`, api.EvidenceRequest, (service, input, request) =>
    service.evidence(input.caller, driveOf(input), request),
  ),
  postJson('/v1/bridge/reconcile', api.ReconcileRequest, (service, { caller }, request) =>
    service.reconcile(caller, request),
  ),
  get('/v1/space', (service, { caller }) => service.space(caller)),
  postJson('/v1/hosts', hostApi.HostRequest, (service, { caller }, request) => service.registerHost(caller, request)),
  postJson(`${HOST}/report`, hostApi.HostReport, (service, input, request) =>
    service.reportHost(input.caller, hostOf(input), request),
  ),
  get(`${HOST}/standing`, (service, input) => service.standing(input.caller, hostOf(input))),
  postJson(`${HOST}/exit`, hostApi.ExitRequest, (service, input, request) =>
    service.exit(input.caller, hostOf(input), request),
  ),
  postJson(`${HOST}/losses`, hostApi.LossesRequest, (service, input, request) =>
    service.losses(input.caller, hostOf(input), request),
  ),
  postJson(`${HOST}/knock`, hostApi.KnockRequest, (service, input, request) =>
    service.knockHost(input.caller, hostOf(input), request),
  ),
  postJson(`${HOST}/dial`, hostApi.DialRequest, (service, input) => service.dialHost(input.caller, hostOf(input))),
  get(`${HOST}/transcripts/:id`, (service, input) =>
    service.transcript(input.caller, hostOf(input), transcriptOf(input)),
  ),
  postJson('/v1/repairs/lease', repairApi.LeaseRequest, (service, { caller }, request) =>
    service.leaseRepair(caller, request),
  ),
  postJson('/v1/repairs/done', repairApi.DoneRequest, (service, { caller }, request) =>
    service.repairDone(caller, request),
  ),
  get('/v1/status', (service, { caller }) => service.status(caller)),
]
