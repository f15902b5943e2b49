// Sends a fixed set of events with Amplitude's own SDK and prints what it sent, as JSON.
//
//   node amplitude.mjs http://127.0.0.1:7701/amplitude KEY [batch|bad]
//
// With "batch" it uses the batch endpoint; with "bad" it sends bad events among good ones.
// Printed: {"sent":[events as they were on the wire],"errors":[{event, insert_id, code, message}]}, in "sent"
// only what the SDK says has been taken.
import { createInstance, Identify, Revenue } from '@amplitude/analytics-node';

const [, , base, key, mode] = process.argv;
if (!base || !key) {
  console.error('usage: node amplitude.mjs BASE_URL KEY [batch|bad]');
  process.exit(2);
}
const path = mode === 'batch' ? '/batch' : '/2/httpapi';
const client = createInstance();
await client.init(key, {
  serverUrl: base.replace(/\/$/, '') + path, useBatch: mode === 'batch', flushIntervalMillis: 50, flushQueueSize: 40, logLevel: 0,
}).promise;

const sent = [];
const errors = [];
const now = Date.now();
const waiting = [];
const copy = (value) => JSON.parse(JSON.stringify(value));

// note keeps what the SDK says became of an event; result.event is what it put on the wire.
function note(call) {
  waiting.push(call.promise.then((result) => {
    const event = copy(result.event);
    delete event.extra;
    if (result.code === 200) sent.push(event);
    else errors.push({ event: event.event_type, insert_id: event.insert_id, code: result.code, message: result.message });
  }));
}

function good() {
  const who = { user_id: 'user-1', device_id: 'device-1' };
  note(client.track('app_launch', {
    scene: 1011, price: 12.5, first: true, 商品: '苹果 🍎', list: ['a', 'b'], nested: { page: { name: 'home' } }, empty: '',
  }, {
    ...who, time: now - 60_000, insert_id: 'amp-1', session_id: now - 70_000, event_id: 1, platform: 'Web', os_name: 'iOS', os_version: '17.1',
    device_model: 'iPhone', app_version: '3.2.1', country: 'China', city: 'Shanghai', language: 'zh', ip: '$remote',
    plan: { branch: 'main', version: '2' }, groups: { company: 'Acme' },
  }));
  note(client.track('outside', undefined, { device_id: 'device-2', time: now - 50_000, insert_id: 'amp-2', session_id: -1 }));
  note(client.track('no_time', { n: 1 }, { user_id: 'user-3' }));
  for (let i = 0; i < 90; i++) {
    note(client.track('view', { n: i }, { user_id: `user-${i % 7}x`, time: now - 40_000 + i, insert_id: `amp-view-${i}` }));
  }
  const revenue = new Revenue().setProductId('sku-1').setPrice(3.99).setQuantity(2).setRevenueType('purchase').setEventProperties({ coupon: 'x' });
  note(client.revenue(revenue, { ...who, time: now - 30_000, insert_id: 'amp-3' }));
  const identify = new Identify().set('plan', 'pro').setOnce('first_seen', '2025-06-01').add('visits', 1).append('pages', 'home')
    .prepend('recent', 'cart').postInsert('tags', ['a', 'b']).preInsert('top', 'x').remove('colours', 'red').unset('age');
  note(client.identify(identify, { ...who, time: now - 20_000, insert_id: 'amp-4' }));
  note(client.identify(new Identify().clearAll(), { user_id: 'user-9', time: now - 20_000, insert_id: 'amp-5' }));
  note(client.groupIdentify('company', 'Acme', new Identify().set('industry', 'widgets'), { ...who, time: now - 10_000, insert_id: 'amp-6' }));
  note(client.setGroup('company', 'Acme', { ...who, time: now - 10_000, insert_id: 'amp-7' }));
}

function bad() {
  note(client.track('kept', { n: 1 }, { user_id: 'user-1', time: now, insert_id: 'amp-kept-1' }));
  note(client.track('too_early', { n: 2 }, { user_id: 'user-1', time: now + 3 * 86_400_000, insert_id: 'amp-bad-1' }));
  note(client.track('kept', { n: 3 }, { user_id: 'user-1', time: now, insert_id: 'amp-kept-2' }));
  note(client.track('kept', { text: 'x'.repeat(200_000) }, { user_id: 'user-1', time: now, insert_id: 'amp-bad-2' }));
}

(mode === 'bad' ? bad : good)();
// The calls are queued; the SDK sends after its flush interval, with retries, and flush() would send without any.
await Promise.all(waiting);
console.log(JSON.stringify({ sent, errors }));
