// What all programs here share: the properties that they send, and how they report.

// rich has a value of every kind, names that Cairn reserves, and names with odd letters.
export const rich = {
  text: 'plain',
  unicode: 'naïve 漢字 😀 \u2028 "quoted" \\ \t',
  empty: '',
  int: 42,
  negative: -7,
  big: 9007199254740991,
  float: 12.5,
  tiny: 1e-7,
  huge: 1.5e300,
  yes: true,
  no: false,
  nothing: null,
  list: [1, 'two', { three: 3 }, [4.5, null], true],
  emptyList: [],
  emptyObject: {},
  nested: { a: { b: { c: 'deep' } }, 'dotted.key': 1, list: [{ x: 'y' }] },
  time: 'a property called time',
  event: 'and event',
  user: { name: 'and user' },
  id: 7,
  'odd name: é/漢': 'ok',
  long: 'x'.repeat(5000),
}

// at is the instant of the n-th event: a fixed distance before now, so that no limit on age applies.
const start = Date.now() - 3600_000
export const at = (n) => new Date(start + n * 1000)

const sent = []
const errors = []

// expect notes an event as it should be found: its name, user, insert id (null: whatever it is), time (null: about
// now), and the properties that it has among others.
export function expect(name, user, id, time, fields) {
  sent.push({ name, user, id, time: time?.toISOString() ?? null, fields })
}

// failed notes an error that the library reported.
export function failed(error) {
  errors.push(String(error?.message ?? error))
}

// report prints what was sent and what failed.
export function report(more = {}) {
  process.stdout.write(JSON.stringify({ sent, errors, ...more }) + '\n')
}

// args are the base address of the server, the key, and a mode: "", "errors" or "rejects".
export const [base, key, mode = ''] = process.argv.slice(2)
