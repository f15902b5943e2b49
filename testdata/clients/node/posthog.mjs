// posthog-node against Cairn: node posthog.mjs BASE-ADDRESS KEY [MODE]
// POSTHOG_CAPTURE_MODE=v1 in the environment chooses Capture V1.
import { PostHog } from 'posthog-node'
import { at, base, expect, failed, key, mode, report, rich } from './events.mjs'

const v1 = process.env.POSTHOG_CAPTURE_MODE === 'v1'
const p = v1 ? 'p1' : 'p0' // of ids
const client = new PostHog(key, {
  host: base, flushAt: 15, flushInterval: 500, disableGeoip: true,
  fetchRetryCount: mode === 'errors' ? 1 : 5, fetchRetryDelay: 100,
})
client.on('error', failed)
const awake = setInterval(() => {}, 1000) // the library's pauses between attempts do not keep Node running

if (mode === 'errors') {
  client.capture({ distinctId: 'nobody', event: 'never stored' })
  await client.shutdown(30_000)
  report()
  process.exit(0)
}

let n = 0
const uuid = () => `0190e3a2-7c4d-7${v1 ? 'b' : 'a'}00-8000-${String(++n).padStart(12, '0')}`
let id

if (mode === 'rejects') {
  id = uuid()
  client.capture({ distinctId: `${p}-good`, event: 'good', uuid: id })
  expect('good', `${p}-good`, id, null, {})
  client.capture({ distinctId: `${p}-good`, event: 'e'.repeat(300), uuid: uuid() })
  await client.shutdown(30_000)
  report()
  process.exit(0)
}

// groups and $-names of PostHog stay properties
id = uuid()
client.capture({ distinctId: `${p}-anon`, event: 'Product Viewed', properties: { ...rich, $session_id: 's-1', $set: { seen: true }, $set_once: { first: 'a' } }, groups: { company: 'acme' }, timestamp: at(0), uuid: id })
expect('Product Viewed', `${p}-anon`, id, at(0), { ...rich, $session_id: 's-1', $groups: { company: 'acme' }, $lib: 'posthog-node', $set: { seen: true }, $set_once: { first: 'a' } })
expect('$profile', `${p}-anon`, `${id}/profile`, at(0), { $set: { seen: true }, $set_once: { first: 'a' } })

client.identify({ distinctId: `${p}-user`, properties: { $set: { plan: 'pro', seats: 5 }, $set_once: { origin: 'mail' }, $anon_distinct_id: `${p}-anon` } })
expect('$identify', `${p}-user`, null, null, { $anon_distinct_id: `${p}-anon`, $set: { plan: 'pro', seats: 5 }, $set_once: { origin: 'mail' } })
expect('$profile', `${p}-user`, null, null, { $set: { plan: 'pro', seats: 5 }, $set_once: { origin: 'mail' } })

// Before the alias, by the old name.
id = uuid()
client.capture({ distinctId: `${p}-old`, event: 'before', timestamp: at(1), uuid: id })
expect('before', `${p}-old`, id, at(1), {})
client.alias({ distinctId: `${p}-user`, alias: `${p}-old` })
expect('$create_alias', `${p}-user`, null, null, { alias: `${p}-old` })

client.groupIdentify({ groupType: 'company', groupKey: 'acme', properties: { name: 'Acme', size: 12 }, distinctId: `${p}-user` })
expect('$groupidentify', `${p}-user`, null, null, { $group_type: 'company', $group_key: 'acme', $group_set: { name: 'Acme', size: 12 } })

id = uuid()
client.capture({ distinctId: `${p}-quiet`, event: 'no profile', properties: { $process_person_profile: false, $set: { a: 1 } }, timestamp: at(1), uuid: id })
expect('no profile', `${p}-quiet`, id, at(1), { $process_person_profile: false })

for (let i = 0; i < 60; i++) {
  id = uuid()
  client.capture({ distinctId: `${p}-many-${i % 7}`, event: 'many', properties: { i }, uuid: id })
  expect('many', `${p}-many-${i % 7}`, id, null, { i })
}
id = uuid()
client.capture({ distinctId: `${p}-user`, event: 'twice', uuid: id, timestamp: at(2) })
client.capture({ distinctId: `${p}-user`, event: 'twice', uuid: id, timestamp: at(2) })
expect('twice', `${p}-user`, id, at(2), {})

await client.shutdown(60_000)
clearInterval(awake)
report({ links: [{ user: `${p}-user`, id: `${p}-anon` }, { user: `${p}-user`, id: `${p}-old` }] })
