// @segment/analytics-node against Cairn: node segment.mjs BASE-ADDRESS KEY [MODE]
import { Analytics } from '@segment/analytics-node'
import { at, base, expect, failed, key, mode, report, rich } from './events.mjs'

const analytics = new Analytics({ writeKey: key, host: base, flushAt: 15, flushInterval: 500, maxRetries: mode === 'errors' ? 1 : 5 })
analytics.on('error', (error) => failed(error.reason ?? error))

const context = { ip: '203.0.113.9', app: { name: 'shop', version: '2.1' }, campaign: { source: 'mail' }, locale: 'zh-CN' }
const inContext = { 'context.ip': '203.0.113.9', 'context.app.version': '2.1', 'context.library.name': '@segment/analytics-node' }

if (mode === 'errors') {
  analytics.track({ userId: 'nobody', event: 'never stored', messageId: 'segment-node-error' })
  await analytics.closeAndFlush()
  report()
  process.exit(0)
}

if (mode === 'rejects') {
  analytics.track({ userId: 'sn-good', event: 'good', messageId: 'sn-good' })
  expect('good', 'sn-good', 'sn-good', null, {})
  analytics.track({ userId: 'sn-good', event: 'e'.repeat(300), messageId: 'sn-bad' })
  await analytics.closeAndFlush()
  report()
  process.exit(0)
}

analytics.track({ anonymousId: 'sn-anon', event: 'Product Viewed', properties: rich, context, timestamp: at(0), messageId: 'sn-1' })
expect('Product Viewed', 'sn-anon', 'sn-1', at(0), { ...rich, anonymous_id: 'sn-anon', ...inContext })

analytics.identify({ userId: 'sn-user', anonymousId: 'sn-anon', traits: { plan: 'pro', address: { city: '上海' }, seats: 5 }, timestamp: at(1), messageId: 'sn-2' })
expect('$identify', 'sn-user', 'sn-2', at(1), { traits: { plan: 'pro', address: { city: '上海' }, seats: 5 }, user_id: 'sn-user', anonymous_id: 'sn-anon' })
expect('$profile', 'sn-user', 'sn-2/profile', at(1), { $set: { plan: 'pro', address: { city: '上海' }, seats: 5 } })

analytics.page({ userId: 'sn-user', category: 'Docs', name: 'Home', properties: { url: 'https://example.com/?a=1' }, timestamp: at(2), messageId: 'sn-3' })
expect('$page', 'sn-user', 'sn-3', at(2), { name: 'Home', url: 'https://example.com/?a=1', category: 'Docs' })

analytics.screen({ userId: 'sn-user', name: 'Cart', properties: { items: 3 }, timestamp: at(3), messageId: 'sn-4' })
expect('$screen', 'sn-user', 'sn-4', at(3), { name: 'Cart', items: 3 })

analytics.group({ userId: 'sn-user', groupId: 'g-1', traits: { name: 'Acme', size: 12 }, timestamp: at(4), messageId: 'sn-5' })
expect('$group', 'sn-user', 'sn-5', at(4), { group_id: 'g-1', traits: { name: 'Acme', size: 12 } })

// Before the alias, by the old name.
analytics.track({ userId: 'sn-old', event: 'before', timestamp: at(4), messageId: 'sn-before' })
expect('before', 'sn-old', 'sn-before', at(4), { user_id: 'sn-old' })
analytics.alias({ userId: 'sn-user', previousId: 'sn-old', timestamp: at(5), messageId: 'sn-6' })
expect('$alias', 'sn-user', 'sn-6', at(5), { previous_id: 'sn-old' })

// Several batches, and no timestamp: the library takes now.
for (let i = 0; i < 60; i++) {
  analytics.track({ userId: `sn-many-${i % 7}`, event: 'many', properties: { i }, messageId: `sn-many-${i}` })
  expect('many', `sn-many-${i % 7}`, `sn-many-${i}`, null, { i })
}
// Sent twice: stored once.
analytics.track({ userId: 'sn-user', event: 'twice', messageId: 'sn-twice' })
analytics.track({ userId: 'sn-user', event: 'twice', messageId: 'sn-twice' })
expect('twice', 'sn-user', 'sn-twice', null, {})

await analytics.closeAndFlush({ timeout: 60_000 })
report({ links: [{ user: 'sn-user', id: 'sn-anon' }, { user: 'sn-user', id: 'sn-old' }] })
