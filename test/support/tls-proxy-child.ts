/**
 * A TLS proxy in front of a bridge, as an operator sets one up: argv: address, port, port of the bridge on 127.0.0.1, key file,
 * certificate file. Says in x-forwarded-for where a request came from; passes WebSockets through. Prints `ready`.
 */
import fs from 'node:fs'
import http from 'node:http'
import https from 'node:https'

const [address = '', port = '', bridgePort = '', keyFile = '', certFile = ''] = process.argv.slice(2)
const server = https.createServer({ key: fs.readFileSync(keyFile), cert: fs.readFileSync(certFile) })
const agent = new http.Agent({ keepAlive: true })

function ask(request: http.IncomingMessage): http.ClientRequest {
  const { method, url, headers } = request
  const forwarded = { ...headers, 'x-forwarded-for': request.socket.remoteAddress ?? '' }
  const upgrade = headers.upgrade === undefined ? { agent } : {}
  return http.request({
    host: '127.0.0.1',
    port: Number(bridgePort),
    method,
    path: url,
    headers: forwarded,
    ...upgrade,
  })
}

server.on('request', (request, response) => {
  const asked = ask(request)
  asked.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers)
    answer.pipe(response)
  })
  asked.on('error', () => response.destroy())
  request.pipe(asked)
})
server.on('upgrade', (request, socket, head) => {
  const asked = ask(request)
  const refuse = () => socket.destroy()
  socket.on('error', refuse)
  asked.on('error', refuse)
  asked.on('response', refuse)
  asked.on('upgrade', (answer, line, first) => {
    const lines = Object.entries(answer.headers).map(([name, value]) => `${name}: ${value}`)
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`)
    socket.write(first)
    line.write(head)
    line.on('error', refuse)
    line.pipe(socket).pipe(line)
  })
  asked.end()
})
server.listen(Number(port), address, () => console.log('ready'))
process.once('SIGTERM', () => process.exit())
