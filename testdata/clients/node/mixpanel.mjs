// mixpanel against Cairn: node mixpanel.mjs BASE-ADDRESS KEY [MODE]
// Modes: "errors" sends one event and one update of each kind; "bad" sends events that Cairn refuses among good ones.
import Mixpanel from 'mixpanel'
import { at, base, expect, failed, key, mode, report, rich } from './events.mjs'

const address = new URL(base)
const quiet = { trace() {}, debug() {}, info() {}, warn() {}, error() {} }
const config = { host: address.host, protocol: address.protocol.slice(0, -1), path: address.pathname.replace(/\/$/, ''), logger: quiet, keepAlive: false }
const plain = Mixpanel.init(key, { ...config, geolocate: true })
const verbose = Mixpanel.init(key, { ...config, verbose: true })
const importer = Mixpanel.init(key, { ...config, key }) // an import needs a key of its own; without TLS it is a parameter

// call waits for a call of the library, which never tries again by itself, and notes its errors with the call's name. A
// call that fails is made again, up to four times, where failing is not what the mode is about.
async function call(name, run, tries = mode === '' ? 5 : 1) {
  const errors = await new Promise((resolve) => run((error) => resolve([error ?? []].flat())))
  if (errors.length > 0 && tries > 1) return call(name, run, tries - 1)
  for (const one of errors) failed(`${name}: ${one.message ?? one}`)
}

if (mode === 'errors') {
  await call('track', (done) => plain.track('never stored', { distinct_id: 'nobody' }, done))
  await call('verbose', (done) => verbose.track('never stored', { distinct_id: 'nobody' }, done))
  await call('batch', (done) => verbose.track_batch([{ event: 'never stored', properties: { distinct_id: 'nobody' } }], done))
  await call('import', (done) => importer.import('never stored', new Date(), { distinct_id: 'nobody' }, done))
  await call('people', (done) => plain.people.set('nobody', { a: 1 }, done))
  await call('groups', (done) => plain.groups.set('company', 'nobody', { a: 1 }, done))
  report()
  process.exit(0)
}

const copy = (value) => JSON.parse(JSON.stringify(value))
const early = new Date(Date.now() + 3 * 86_400_000)
if (mode === 'bad') {
  const good = { event: 'kept', properties: { distinct_id: 'mn-bad', $insert_id: 'mn-bad-1', time: at(0).getTime() } }
  const bad = { event: 'refused', properties: { distinct_id: 'mn-bad', $insert_id: 'mn-bad-2', time: early.getTime() } }
  await call('mixed', (done) => verbose.track_batch(copy([good, bad]), done))
  await call('bad', (done) => verbose.track_batch(copy([bad]), done))
  await call('bad, a digit', (done) => plain.track_batch(copy([bad]), done))
  expect('kept', 'mn-bad', 'mn-bad-1', at(0), {})
  report()
  process.exit(0)
}

// The library takes a property called time for the event's own.
const { time, ...properties } = rich
const library = { mp_lib: 'node', $lib_version: '0.24.0' }

await call('track', (done) => plain.track('Product Viewed', { ...properties, distinct_id: 'mn-user', $insert_id: 'mn-1', time: at(0) }, done))
expect('Product Viewed', 'mn-user', 'mn-1', at(0), { ...properties, distinct_id: 'mn-user', ip: '127.0.0.1', ...library })

await call('verbose', (done) => verbose.track('pay', { distinct_id: 'mn-user', $insert_id: 'mn-2', time: at(1).getTime(), amount: -0.25 }, done))
expect('pay', 'mn-user', 'mn-2', at(1), { amount: -0.25, ...library })

await call('no time', (done) => plain.track('no time', { distinct_id: 'mn-user' }, done))
expect('no time', 'mn-user', null, null, { distinct_id: 'mn-user' })

await call('device', (done) => plain.track('device', { $device_id: 'mn-device', $insert_id: 'mn-device-1', time: at(2) }, done))
expect('device', 'mn-device', 'mn-device-1', at(2), { $device_id: 'mn-device' })
await call('before login', (done) => plain.track('before login', { distinct_id: '$device:mn-device', $device_id: 'mn-device', $insert_id: 'mn-3', time: at(2) }, done))
expect('before login', '$device:mn-device', 'mn-3', at(2), { $device_id: 'mn-device' })
await call('login', (done) => plain.track('login', { distinct_id: 'mn-user', $device_id: 'mn-device', $user_id: 'mn-user', $insert_id: 'mn-4', time: at(3) }, done))
expect('login', 'mn-user', 'mn-4', at(3), { $device_id: 'mn-device', $user_id: 'mn-user' })

// Three requests of up to 50 events at once.
const many = []
for (let i = 0; i < 120; i++) {
  many.push({ event: 'many', properties: { distinct_id: `mn-many-${i % 7}`, $insert_id: `mn-many-${i}`, time: at(i).getTime(), i } })
  expect('many', `mn-many-${i % 7}`, `mn-many-${i}`, at(i), { i })
}
await call('batch', (done) => verbose.track_batch(copy(many), done))
await call('batch again', (done) => plain.track_batch(copy(many), done))

await call('import', (done) => importer.import('imported', at(4), { distinct_id: 'mn-user', $insert_id: 'mn-5', plan: 'pro' }, done))
expect('imported', 'mn-user', 'mn-5', at(4), { plan: 'pro' })
const imports = [0, 1, 2].map((i) => ({ event: 'imported', properties: { distinct_id: 'mn-user', $insert_id: `mn-import-${i}`, time: at(10 + i), i } }))
for (const i of [0, 1, 2]) expect('imported', 'mn-user', `mn-import-${i}`, at(10 + i), { i })
await call('import batch', (done) => importer.import_batch(imports, done))

await call('before alias', (done) => plain.track('before alias', { distinct_id: 'mn-mail@example.com', $insert_id: 'mn-6', time: at(3) }, done))
expect('before alias', 'mn-mail@example.com', 'mn-6', at(3), {})
await call('alias', (done) => plain.alias('mn-user', 'mn-mail@example.com', done))
expect('$create_alias', 'mn-user', null, null, { distinct_id: 'mn-user', alias: 'mn-mail@example.com' })

// update makes an update of a user and says what is to be found.
async function update(operation, run) {
  await call(`people ${Object.keys(operation)}`, run)
  expect('$profile', 'mn-user', null, null, { ...operation, $distinct_id: 'mn-user' })
}
const { people, groups } = plain
await update({ $set: { plan: 'pro', age: 33, $first_name: 'Ada' } }, (done) => people.set('mn-user', { plan: 'pro', age: 33, $first_name: 'Ada' }, done))
await update({ $set_once: { first: '2025-06-01' } }, (done) => people.set_once('mn-user', 'first', '2025-06-01', done))
await update({ $add: { visits: 1, credits: -3 } }, (done) => people.increment('mn-user', { visits: 1, credits: -3 }, done))
await update({ $append: { pages: 'home' } }, (done) => people.append('mn-user', 'pages', 'home', done))
await update({ $union: { tags: ['a', 'b'] } }, (done) => people.union('mn-user', { tags: ['a', 'b'] }, done))
await update({ $remove: { tags: 'a' } }, (done) => people.remove('mn-user', { tags: 'a' }, done))
await update({ $unset: ['age', 'credits'] }, (done) => people.unset('mn-user', ['age', 'credits'], done))
await call('people delete', (done) => verbose.people.delete_user('mn-gone', done))
expect('$profile', 'mn-gone', null, null, { $delete: true })

async function updateGroup(operation, run) {
  await call(`groups ${Object.keys(operation)}`, run)
  expect('$groupidentify', '', null, null, { ...operation, $group_key: 'company', $group_id: 'Acme' })
}
await updateGroup({ $set: { industry: 'widgets' } }, (done) => groups.set('company', 'Acme', { industry: 'widgets' }, done))
await updateGroup({ $union: { products: ['anvil'] } }, (done) => groups.union('company', 'Acme', { products: ['anvil'] }, done))
await updateGroup({ $unset: ['industry'] }, (done) => groups.unset('company', 'Acme', 'industry', done))

report({ links: [{ user: 'mn-user', id: 'mn-device' }, { user: 'mn-user', id: '$device:mn-device' }, { user: 'mn-user', id: 'mn-mail@example.com' }] })
