// live.mjs URL PASSWORD SEED - a client as a browser has it, written on the documented shapes: it mirrors the tree by db.subscribe and
// its WebSocket, while others change it and its connections are cut at random. Says TAP. Node, with `ws` from npm for WebSocket.
import { createRequire } from 'node:module'
import { end, ok, sleep } from './tap.mjs'
const WebSocket = createRequire(process.env.NODE_PATH + '/')('ws')

const [url, password, seed] = process.argv.slice(2)
let state = Number(seed) >>> 0
const draw = n => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return Math.floor((state / 4294967296) * n)
}

let cookie = ''
async function call(method, params = {}) {
  const answer = await fetch(url + '/rpc/v1', {
    method: 'POST',
    body: JSON.stringify({ method, params }),
    headers: { 'Content-Type': 'application/json', ...(cookie && { Cookie: cookie }) },
  })
  const set = answer.headers.get('set-cookie')
  if (set) cookie = set.split(';')[0]
  const body = await answer.json()
  const sequence = answer.headers.get('x-patch-sequence')
  return { ...body, sequence: sequence === null ? undefined : Number(sequence) }
}
async function must(method, params) {
  const answer = await call(method, params)
  if (answer.error) throw new Error(method + ': ' + JSON.stringify(answer.error))
  return answer.result
}

// --- a mirror: the value of a pointer, as a page keeps it ---

function apply(value, { op, path, value: is }) {
  if (path === '') return op === 'remove' ? null : is
  const parts = path.slice(1).split('/').map(p => p.replaceAll('~1', '/').replaceAll('~0', '~'))
  const last = parts.pop()
  let at = value
  for (const part of parts) {
    at = at[part]
    if (at === undefined || at === null) throw new Error('a parent is missing: ' + path)
  }
  if (Array.isArray(at)) {
    const i = last === '-' ? at.length : Number(last)
    if (op === 'add') at.splice(i, 0, is)
    else if (op === 'replace') at[i] = is
    else at.splice(i, 1)
  } else if (op === 'remove') {
    if (!(last in at)) throw new Error('nothing to remove: ' + path)
    delete at[last]
  } else at[last] = is
  return value
}

class Mirror {
  constructor(pointer, resumes) {
    Object.assign(this, { pointer, resumes, id: 0, value: null, messages: 0, wholes: 0, opens: 0, faults: [], running: true })
  }
  async open() {
    const params = { pointer: this.pointer }
    if (this.resumes && this.life) Object.assign(params, { life: this.life, since: this.id })
    const { dump, guid, life } = await must('db.subscribe', params)
    if (dump) {
      if (dump.id < 1) this.faults.push('a dump with id ' + dump.id)
      this.value = dump.value
      this.id = dump.id
      this.wholes++
    } else if (!this.resumes) this.faults.push('no dump')
    this.life = life
    this.opens++
    const socket = (this.socket = new WebSocket(url.replace('http', 'ws') + '/ws/rpc/' + guid))
    socket.on('message', (data, binary) => {
      if (socket !== this.socket) return // of one that was given up
      const message = JSON.parse(data)
      if (binary) this.faults.push('a binary frame')
      this.messages++
      try {
        if (message.patch) {
          if (message.id < this.id + 1) throw new Error(`revision ${message.id} behind ${this.id}`)
          for (const op of message.patch) this.value = apply(this.value, op)
        } else {
          this.value = message.value
          this.wholes++
        }
        this.id = message.id
      } catch (e) {
        this.faults.push(String(e))
      }
    })
    socket.on('error', () => {}) // it closes too
    socket.on('close', () => {
      if (socket === this.socket && this.running) this.again = this.open().catch(e => this.faults.push(String(e)))
    })
    await new Promise(done => {
      socket.on('open', done)
      socket.on('close', done)
    })
  }
  cut() {
    this.socket.terminate()
  }
  async reach(id) {
    for (let i = 0; i < 400 && this.id < id; i++) await sleep(25)
    return this.id >= id
  }
  end() {
    this.running = false
    this.socket.close()
  }
}

// --- the play ---

const login = await call('auth.login', { password })
ok('a login', login.result?.session?.length === 26, login)
ok('a dump has every field a page reads', (({ serverInfo: s, packageData, ui }) => {
  const fields = ['id', 'name', 'hostname', 'version', 'packageVersionCompat', 'postInitMigrationTodos', 'lastBackup', 'network', 'statusInfo',
    'unreadNotificationCount', 'passwordHash', 'pubkey', 'caFingerprint', 'ntpSynced', 'zram', 'governor', 'smtp', 'echoipUrls', 'ram', 'devices',
    'kiosk', 'language', 'keyboard']
  const network = ['wifi', 'host', 'gateways', 'acme', 'dns', 'defaultOutbound', 'passthroughs']
  const status = ['backupProgress', 'updateProgress', 'shuttingDown', 'restarting', 'restart']
  return fields.every(f => f in s) && network.every(f => f in s.network) && status.every(f => f in s.statusInfo) &&
    s.passwordHash === null && typeof packageData === 'object' && typeof ui === 'object'
})((await must('db.dump', {})).value))

await must('db.put.ui', { pointer: '/play', value: { list: [1, 2, 3], deep: { a: {} }, 'odd/~key': 1 } })
const all = new Mirror('/public', false) // as StartOS' page does it: a dump each time
const back = new Mirror('/public', true) // with our addition: only what was missed
const part = new Mirror('/public/ui/play', true)
const mirrors = [all, back, part]
for (const m of mirrors) await m.open()

let last = 0
let behind = 0
async function change() {
  const key = draw(12)
  const values = [draw(1000), 'text ' + draw(1000), { n: draw(9), list: [draw(5), null, true] }, [], null, 1.5, 'ż ó ł 🙂']
  const pointers = ['/play/deep/a/k' + key, '/play/k' + key, '/play/odd~1~0key', '/play/list', '/play/deep/a']
  const pointer = pointers[draw(pointers.length)]
  const value = pointer.endsWith('/a') ? {} : pointer.endsWith('list') ? Array.from({ length: draw(6) }, () => draw(9)) : values[draw(values.length)]
  const answer = await call('db.put.ui', { pointer, value })
  if (answer.error) throw new Error(JSON.stringify(answer.error))
  last = Math.max(last, answer.sequence)
}
for (let round = 0; round < 60; round++) {
  await Promise.all(Array.from({ length: 1 + draw(8) }, change))
  const who = mirrors[draw(mirrors.length)]
  if (draw(3) === 0) who.cut()
  if (draw(4) === 0) await sleep(draw(60))
  // What a page does: it shows the result of a call when its mirror has reached the number the call came with.
  if (draw(5) === 0 && !(await all.reach(last))) behind++
}
await Promise.all(mirrors.map(m => m.again))
ok('whoever waits for the number of a call is told it', behind === 0 && (await all.reach(last)) && (await back.reach(last)), { last, ids: mirrors.map(m => m.id) })
const truth = (await must('db.dump', {})).value
await sleep(300)
ok('a mirror with dumps is the tree', JSON.stringify(all.value) === JSON.stringify(truth))
ok('a mirror that resumes is the tree', JSON.stringify(back.value) === JSON.stringify(truth))
ok('a mirror of a part is that part', JSON.stringify(part.value) === JSON.stringify(truth.ui.play), { mirror: part.value, truth: truth.ui.play })
ok('no message was out of its order', mirrors.every(m => m.faults.length === 0), mirrors.flatMap(m => m.faults))
ok('connections were cut', mirrors.every(m => m.opens > 1), mirrors.map(m => m.opens))
ok('who resumes gets no further dump', back.wholes < back.opens / 2, { wholes: back.wholes, opens: back.opens })

const mark = await call('server.set-hostname', { name: 'Live Box' })
ok('a call with X-Patch-Sequence leads to what the page shows', (await all.reach(mark.sequence)) && all.value.serverInfo.name === 'Live Box', mark)
const reads = await call('server.time', {})
ok('a call that changes nothing has none', reads.sequence === undefined && reads.result.now)

// --- the end of a session ends its sockets ---
const closed = new Promise(done => all.socket.on('close', (code, reason) => done({ code, reason: String(reason) })))
for (const m of mirrors) m.running = false
await must('auth.logout', {})
const { code, reason } = await closed
ok('a logout closes the sockets of its session, with the reason', code === 1008 && reason.includes('session'), { code, reason })
ok('and the cookie is taken back', cookie === 'session=')
end()
