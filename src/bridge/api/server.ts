/**
 * HTTP in front of the service. Bodies are read as bytes (the signature covers them as they came), bounded a request and
 * in all; replies, errors included, are signed once the request named a nonce. Nothing of a request is logged but its
 * method, route and outcome.
 */
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Clock } from '../../base/clock.js'
import { AppError } from '../../base/errors.js'
import type { Log } from '../../base/log.js'
import type { SigningKey } from '../../crypto/signing-key.js'
import { type Headers, nonceOf, signReply } from '../../permits/request-signature.js'
import { API_LIMITS, BYTES_TYPE, HEADER, JSON_TYPE } from '../../wire/api.js'
import type { AddressOf } from './address.js'
import type { Gate } from './gate.js'
import { ROUTES, type Route } from './routes.js'
import type { BridgeService } from './service.js'
import { replyForError } from './status.js'

export interface ServerParts {
  service: BridgeService
  gate: Gate
  key: SigningKey
  clock: Clock
  log: Log
  addressOf: AddressOf
}

/** Bodies that are being received or answered, in all: 28 of the largest. */
const BODY_BYTES_MAX = 28 * API_LIMITS.bytesMax
const CONNECTIONS_MAX = 4_096
const HEADER_BYTES_MAX = 16_384
const REQUEST_TIMEOUT_MS = 120_000
const KEEP_ALIVE_MS = 72_000

export function buildServer(parts: ServerParts): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: API_LIMITS.bytesMax,
    exposeHeadRoutes: false,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 64, caseSensitive: true },
    http: { maxHeaderSize: HEADER_BYTES_MAX },
    onProtoPoisoning: 'error',
  })
  app.server.maxConnections = CONNECTIONS_MAX
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  boundBodies(app, parts)
  app.setErrorHandler((error: FastifyError, request, reply) => sendError(parts, request, reply, mapped(error)))
  app.setNotFoundHandler((request, reply) =>
    sendError(parts, request, reply, new AppError('unknown-call', 'the bridge has no such call')),
  )
  addInfo(app, parts)
  for (const route of ROUTES) addRoute(app, parts, route)
  return app
}

/** The address bound and the sum of bodies in work, both before a body is read. */
function boundBodies(app: FastifyInstance, parts: ServerParts): void {
  let bytesInWork = 0
  app.addHook('onRequest', async (request, reply) => {
    parts.gate.admitAddress(parts.addressOf(request.raw))
    const limit = request.routeOptions.bodyLimit ?? API_LIMITS.bytesMax
    const told = request.headers['content-length']
    const size = request.method === 'GET' ? 0 : Math.min(told === undefined ? limit : Number(told) || 0, limit)
    if (bytesInWork + size > BODY_BYTES_MAX) {
      throw new AppError('busy', 'the bridge has too much in work', { retry: 'later' })
    }
    bytesInWork += size
    reply.raw.once('close', () => {
      bytesInWork -= size
    })
  })
}

/** The one call without a signature: who is this bridge? */
function addInfo(app: FastifyInstance, parts: ServerParts): void {
  app.get('/v1/bridge', async (request, reply) => {
    if (nonceOf(request.headers as Headers) === null) {
      throw new AppError('request-unsigned', `header ${HEADER.nonce} is missing or misshapen`)
    }
    return send(parts, request, reply, 200, await parts.service.info())
  })
}

function addRoute(app: FastifyInstance, parts: ServerParts, route: Route): void {
  app.route({
    method: route.method,
    url: route.path,
    bodyLimit: Math.max(1, route.bodyBytesMax),
    handler: async (request, reply) => {
      const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
      const headers = request.headers as Headers
      const { key } = parts.gate.admit({ method: request.method, path: request.url, headers, body })
      const label = headers[HEADER.label]
      const answer = await route.run(parts.service, {
        caller: { key, address: parts.addressOf(request.raw) },
        params: request.params as Record<string, string>,
        query: flat(request.query as Record<string, unknown>),
        body,
        label: typeof label === 'string' ? label : '',
      })
      return send(parts, request, reply, 200, answer)
    },
  })
}

function flat(query: Record<string, unknown>): Record<string, string> {
  const entries = Object.entries(query).map(([name, value]) => [name, typeof value === 'string' ? value : ''])
  return Object.fromEntries(entries) as Record<string, string>
}

function send(
  parts: ServerParts,
  request: FastifyRequest,
  reply: FastifyReply,
  status: number,
  answer: object | Buffer,
) {
  const body = Buffer.isBuffer(answer) ? answer : Buffer.from(JSON.stringify(answer), 'utf8')
  reply.code(status).header('content-type', Buffer.isBuffer(answer) ? BYTES_TYPE : JSON_TYPE)
  reply.header('cache-control', 'no-store')
  const nonce = nonceOf(request.headers as Headers)
  if (nonce !== null) {
    reply.headers(signReply({ nonce, status, timeMs: parts.clock.nowMs(), body }, parts.key))
  }
  return reply.send(body)
}

function sendError(parts: ServerParts, request: FastifyRequest, reply: FastifyReply, error: unknown) {
  const { status, body, known } = replyForError(error)
  const call = { method: request.method, route: request.routeOptions.url, status, code: body.error.code }
  if (known) parts.log.debug(call, 'request refused')
  else parts.log.error({ ...call, err: error }, 'request failed')
  return send(parts, request, reply, status, body)
}

/** Fastify's own refusals as ours. */
function mapped(error: FastifyError): unknown {
  if (error instanceof AppError) return error
  if (error.statusCode === 413) return new AppError('too-large', 'the body is too large')
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) {
    return new AppError('malformed', 'the request cannot be read')
  }
  return error
}
