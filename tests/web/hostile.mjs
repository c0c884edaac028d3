// hostile.mjs URL PASSWORD PID MOST - clients no one wants, all at once, while a neighbour goes on: slow ones, huge ones, silent ones, such
// as read nothing and such as talk nonsense. PID is the reactor's, MOST how many MB it may grow by (0: not looked at). Says TAP.
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { end, ok, sleep } from './tap.mjs'

const [url, password, pid, most] = process.argv.slice(2)
const { hostname, port } = new URL(url)

let cookie = ''
async function call(method, params = {}) {
  const answer = await fetch(url + '/rpc/v1', {
    method: 'POST',
    body: JSON.stringify({ method, params }),
    headers: { 'Content-Type': 'application/json', ...(cookie && { Cookie: cookie }) },
  })
  const set = answer.headers.get('set-cookie')
  if (set) cookie = set.split(';')[0]
  return answer.json()
}

// A connection of bytes: what came, and whether it is over.
const open = new Set()
function dial() {
  const socket = connect(Number(port), hostname)
  const c = { socket, got: '', bytes: 0, over: false }
  socket.on('data', d => {
    c.bytes += d.length
    if (c.got.length < 65536) c.got += d.toString('latin1')
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    c.over = true
    open.delete(c)
  })
  open.add(c)
  return c
}
async function until(holds, ms = 8000) {
  for (let i = 0; i < ms / 20 && !holds(); i++) await sleep(20)
  return holds()
}
// One request by hand: the answer, as soon as it is whole enough to be judged.
async function ask(text, judge = c => c.got.includes('\r\n\r\n')) {
  const c = dial()
  c.socket.write(Buffer.from(text, 'latin1'))
  await until(() => c.over || judge(c))
  await sleep(20)
  c.socket.destroy()
  return c.got
}
const post = (body, more = '') =>
  `POST /rpc/v1 HTTP/1.1\r\nHost: ${hostname}:${port}\r\nContent-Type: application/json\r\n${more}Content-Length: ${Buffer.byteLength(body, 'latin1')}\r\n\r\n${body}`
const echo = '{"jsonrpc":"2.0","id":7,"method":"echo","params":{"message":"neighbour"}}'

const memory = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))[1]) / 1024
let peak = 0

ok('a login', (await call('auth.login', { password })).result?.session)
const before = memory()

// --- the neighbour, on one connection, all the time ---
let calls = 0
let wrong = 0
let running = true
async function neighbour() {
  const c = dial()
  while (running) {
    c.got = ''
    c.socket.write(post(echo))
    if (!(await until(() => c.got.includes('"result":"neighbour"') || c.over))) wrong++
    if (c.over) {
      wrong++
      return
    }
    calls++
    peak = Math.max(peak, memory())
    await sleep(5)
  }
  c.socket.destroy()
}
const life = neighbour()

// --- those that say nothing, or say it slowly ---
const silent = Array.from({ length: 300 }, dial)
const slow = Array.from({ length: 100 }, dial)
const bodies = Array.from({ length: 50 }, dial)
for (const c of bodies) c.socket.write(`POST /rpc/v1 HTTP/1.1\r\nHost: ${hostname}\r\nContent-Length: 200000\r\n\r\n`)
const drip = setInterval(() => {
  for (const c of slow) if (!c.over) c.socket.write('X')
  for (const c of bodies) if (!c.over) c.socket.write('{')
}, 50)

// --- those that are too large: the answer names the limit ---
const huge = await ask(`POST /rpc/v1 HTTP/1.1\r\nHost: ${hostname}\r\nContent-Length: 10000000000\r\n\r\n`)
ok('a body too large is refused before it comes, by its limit', huge.startsWith('HTTP/1.1 413') && huge.includes(String(256 << 10)), huge)
const chunk = '1000\r\n' + 'x'.repeat(0x1000) + '\r\n'
const chunks = await ask(`POST /rpc/v1 HTTP/1.1\r\nHost: ${hostname}\r\nTransfer-Encoding: chunked\r\n\r\n` + chunk.repeat(70))
ok('and one that grows too large', chunks.startsWith('HTTP/1.1 413') && chunks.includes(String(256 << 10)), chunks)
const head = await ask(`GET / HTTP/1.1\r\nHost: ${hostname}\r\n` + `X-A: ${'a'.repeat(4000)}\r\n`.repeat(10) + '\r\n')
ok('so is a head', head.startsWith('HTTP/1.1 431') && /\d{4}/.test(head.split('\r\n\r\n')[1]), head)
const target = await ask(`GET /${'a'.repeat(20000)} HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`)
ok('and a target', /^HTTP\/1.1 (414|431)/.test(target), target)

// --- those that talk nonsense: each is told what is wrong ---
const nonsense = [
  ['deep', '['.repeat(100000), '-32700'],
  ['deep, and within its parameters', `{"id":1,"method":"echo","params":${'{"a":'.repeat(200)}1${'}'.repeat(200)}}`, '64'],
  ['a batch too long', `[${Array(101).fill(echo).join()}]`, '100'],
  ['no text', '{"method":"echo","params":{"message":"\xff\xfe"}}', '-32700'],
  ['half a surrogate', '{"id":1,"method":"echo","params":{"message":"\\ud800"}}', '-32700'],
  ['a control character', '{"id":1,"method":"echo","params":{"message":"\x01"}}', '-32700'],
  ['a number beyond all', '{"id":1e999,"method":"echo"}', '-32'],
  ['no method', '{"id":1}', '-32700'],
  ['no such method', '{"id":1,"method":"echo.__proto__","params":{}}', '-32601'],
  ['a parameter of another type', '{"id":1,"method":"echo","params":{"message":{"a":1}}}', '-32602'],
  ['nothing', '', '-32'],
]
for (const [name, body, want] of nonsense) {
  const got = await ask(post(body))
  ok(`nonsense is told: ${name}`, got.startsWith('HTTP/1.1 200') && got.includes('"error"') && got.includes(want), got.slice(-300))
}
for (const text of ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 'GET / HTTP/9.9\r\n\r\n', '\0'.repeat(3000) + '\r\n\r\n', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  `POST /rpc/v1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd`,
  `POST /rpc/v1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`]) {
  const got = await ask(text)
  ok('what is not HTTP as it should be is refused', got === '' || /^HTTP\/1.1 [45]/.test(got), { text: text.slice(0, 20), got: got.slice(0, 200) })
}

// --- those that ask for much and read nothing ---
const { dump, guid } = (await call('db.subscribe', { pointer: '/public' })).result
const handshake = id =>
  `GET /ws/rpc/${id} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`
const good = dial()
good.socket.write(handshake(guid))
const deaf = []
for (let i = 0; i < 20; i++) {
  const c = dial()
  c.socket.write(handshake((await call('db.subscribe', { pointer: '/public' })).result.guid))
  await until(() => c.got.includes('101'))
  c.socket.pause()
  deaf.push(c)
}
const pipes = Array.from({ length: 20 }, () => {
  const c = dial()
  c.socket.pause()
  c.socket.write(post(`{"id":1,"method":"db.dump","params":{}}`, `Cookie: ${cookie}\r\n`).repeat(2000))
  return c
})
let last = dump.id
const text = 'x'.repeat(20000)
for (let i = 0; i < 600; i++) {
  const answer = await call('db.put.ui', { pointer: '/big' + (i % 3), value: text + i })
  if (answer.error) {
    ok('a change', false, answer)
    break
  }
}
await call('db.put.ui', { pointer: '/mark', value: 'the last of all' })
let tail = ''
good.socket.on('data', d => (tail = (tail + d.toString('latin1')).slice(-4096)))
await call('db.put.ui', { pointer: '/mark2', value: 'and one more' })
ok('a subscriber that reads hears of every change, to the last', await until(() => tail.includes('and one more')), tail.slice(-200))
ok('it got them all', good.bytes > 600 * 20000, good.bytes)

// --- how it was for the others ---
ok('the silent and the slow were borne or cut, not served', [...silent, ...slow].every(c => c.bytes === 0 || /^HTTP\/1.1 4/.test(c.got)))
running = false
await life
ok('the neighbour was answered every time', wrong === 0 && calls > 50, { calls, wrong })
if (Number(most)) ok(`memory grew by no more than ${most} MB`, peak - before <= Number(most), { before, peak })
clearInterval(drip)
for (const c of deaf.concat(pipes)) c.socket.resume() // who reads after all is sent what is there, or was cut
ok('who did not read finds an end, or goes on', await until(() => deaf.every(c => c.over || c.bytes > 0)))
for (const c of [...open]) c.socket.destroy()
await sleep(200)
ok('when all are gone, it answers as before', (await call('echo', { message: 'still here' })).result === 'still here')
console.log(`# ${calls} calls of the neighbour, ${before.toFixed(1)} MB before, ${peak.toFixed(1)} MB at most`)
end()
