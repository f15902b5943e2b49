// @amplitude/analytics-node against Cairn: node amplitude.mjs BASE-ADDRESS KEY [MODE]
// Modes: "batch" uses the batch endpoint; "errors" sends one event; "bad" sends events that Cairn refuses among good ones.
import { createInstance, Identify, Revenue } from '@amplitude/analytics-node'
import { at, base, expect, failed, key, mode, report, rich } from './events.mjs'

const p = mode === 'batch' ? 'ab' : 'an' // of ids
const client = createInstance()
await client.init(key, {
  serverUrl: base.replace(/\/$/, '') + (mode === 'batch' ? '/batch' : '/2/httpapi'), useBatch: mode === 'batch',
  flushIntervalMillis: 50, flushQueueSize: 40, flushMaxRetries: mode === 'errors' ? 2 : 6, logLevel: 0,
}).promise

// wait notes what the library says became of an event. It sends by itself; flush() would send without retries.
const waiting = []
const wait = (call) => waiting.push(call.promise.then(({ event, code, message }) => {
  if (code !== 200) failed(`${event.event_type} ${event.insert_id}: ${code} ${message}`)
}))
async function done(more) {
  await Promise.all(waiting)
  report(more)
  process.exit(0)
}

const who = { user_id: `${p}-user`, device_id: `${p}-device` }
const early = Date.now() + 3 * 86_400_000
if (mode === 'errors') {
  wait(client.track('never stored', {}, { user_id: 'nobody' }))
  await done()
}
if (mode === 'bad') {
  wait(client.track('kept', { n: 1 }, { ...who, time: at(0).getTime(), insert_id: 'an-bad-1' }))
  wait(client.track('refused', { n: 2 }, { ...who, time: early, insert_id: 'an-bad-2' }))
  wait(client.track('kept', { n: 3 }, { ...who, time: at(1).getTime(), insert_id: 'an-bad-3' }))
  wait(client.track('refused', { text: 'x'.repeat(200_000) }, { ...who, time: at(1).getTime(), insert_id: 'an-bad-4' }))
  expect('kept', 'an-user', 'an-bad-1', at(0), { n: 1 })
  expect('kept', 'an-user', 'an-bad-3', at(1), { n: 3 })
  await done()
}

const context = {
  session_id: at(0).getTime(), platform: 'Web', os_name: 'iOS', os_version: '17.1', device_model: 'iPhone', app_version: '3.2.1', country: 'China',
  city: '上海', language: 'zh', plan: { branch: 'main', version: '2' }, groups: { company: 'Acme' }, price: 12.5, quantity: 2,
}
wait(client.track('Product Viewed', rich, { ...who, ...context, ip: '$remote', time: at(0).getTime(), insert_id: `${p}-1` }))
expect('Product Viewed', `${p}-user`, `${p}-1`, at(0), { ...rich, ...who, ...context, ip: '127.0.0.1', library: 'amplitude-node-ts/1.5.73' })

wait(client.track('before login', undefined, { device_id: `${p}-device`, time: at(0).getTime(), insert_id: `${p}-0` }))
expect('before login', `${p}-device`, `${p}-0`, at(0), { device_id: `${p}-device` })
wait(client.track('outside', undefined, { device_id: `${p}-other`, session_id: -1, time: at(1).getTime(), insert_id: `${p}-2` }))
expect('outside', `${p}-other`, `${p}-2`, at(1), { device_id: `${p}-other`, session_id: -1 })

wait(client.track('no time', { n: 1 }, { user_id: `${p}-user` }))
expect('no time', `${p}-user`, null, null, { n: 1 })

const revenue = new Revenue().setProductId('sku-1').setPrice(3.99).setQuantity(2).setRevenueType('purchase').setEventProperties({ coupon: 'x' })
wait(client.revenue(revenue, { ...who, time: at(2).getTime(), insert_id: `${p}-3` }))
expect('revenue_amount', `${p}-user`, `${p}-3`, at(2), { $productId: 'sku-1', $price: 3.99, $quantity: 2, $revenueType: 'purchase', coupon: 'x' })

const identify = new Identify().set('plan', 'pro').setOnce('first', '2025-06-01').add('visits', 1).append('pages', 'home')
  .postInsert('tags', ['a', 'b']).remove('colours', 'red').unset('age')
wait(client.identify(identify, { ...who, time: at(3).getTime(), insert_id: `${p}-4` }))
expect('$identify', `${p}-user`, `${p}-4`, at(3), who)
expect('$profile', `${p}-user`, `${p}-4/profile`, at(3), {
  $set: { plan: 'pro' }, $set_once: { first: '2025-06-01' }, $add: { visits: 1 }, $append: { pages: 'home' }, $union: { tags: ['a', 'b'] },
  $remove: { colours: 'red' }, $unset: ['age'],
})
wait(client.identify(new Identify().clearAll(), { user_id: `${p}-gone`, time: at(4).getTime(), insert_id: `${p}-5` }))
expect('$identify', `${p}-gone`, `${p}-5`, at(4), {})
expect('$profile', `${p}-gone`, `${p}-5/profile`, at(4), { $delete: true })

wait(client.groupIdentify('company', 'Acme', new Identify().set('industry', 'widgets'), { ...who, time: at(5).getTime(), insert_id: `${p}-6` }))
expect('$groupidentify', `${p}-user`, `${p}-6`, at(5), { groups: { company: 'Acme' }, group_properties: { $set: { industry: 'widgets' } } })
wait(client.setGroup('company', 'Acme', { ...who, time: at(6).getTime(), insert_id: `${p}-7` }))
expect('$identify', `${p}-user`, `${p}-7`, at(6), { groups: { company: 'Acme' } })
expect('$profile', `${p}-user`, `${p}-7/profile`, at(6), { $set: { company: 'Acme' } })

for (let i = 0; i < 90; i++) {
  wait(client.track('many', { i }, { user_id: `${p}-many-${i % 7}`, time: at(i).getTime(), insert_id: `${p}-many-${i}` }))
  expect('many', `${p}-many-${i % 7}`, `${p}-many-${i}`, at(i), { i })
}
await done({ links: [{ user: `${p}-user`, id: `${p}-device` }] })
