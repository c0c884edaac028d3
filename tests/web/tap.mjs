// tap.mjs - for tests in Node: `ok(name, holds, more)` says TAP, `end()` its plan and the exit code.
let count = 0
let bad = 0

export function ok(name, holds, more) {
  count++
  if (!holds) bad++
  console.log(`${holds ? 'ok' : 'not ok'} ${count} - ${name}`)
  if (!holds && more !== undefined) console.log('# ' + JSON.stringify(more).slice(0, 600))
}
export function end() {
  console.log(`1..${count}`)
  process.exit(bad ? 1 : 0)
}
export const sleep = ms => new Promise(done => setTimeout(done, ms))
