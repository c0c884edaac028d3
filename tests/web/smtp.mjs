// smtp.mjs FILE - a mail server on 127.0.0.1 that takes every message and appends it to a file; says its port. Ends with its input.
import { appendFileSync } from 'node:fs'
import { createServer } from 'node:net'

const server = createServer(peer => {
  let held = ''
  let data = false
  peer.write('220 house ESMTP\r\n')
  peer.on('error', () => {})
  peer.on('data', bytes => {
    held += bytes
    for (;;) {
      const end = held.indexOf('\r\n')
      if (end < 0) return
      const line = held.slice(0, end)
      held = held.slice(end + 2)
      if (data) {
        appendFileSync(process.argv[2], line + '\n')
        if (line === '.') peer.write('250 taken\r\n')
        data &&= line !== '.'
        continue
      }
      const word = line.slice(0, 4).toUpperCase()
      if (line.includes('refused@')) peer.write('550 no such box\r\n')
      else if (word === 'EHLO') peer.write('250-house\r\n250 8BITMIME\r\n')
      else if (word === 'DATA') {
        data = true
        peer.write('354 go on\r\n')
      } else if (word === 'QUIT') peer.end('221 bye\r\n')
      else peer.write('250 ok\r\n')
    }
  })
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
process.stdin.resume().on('end', () => process.exit(0))
