// Sends a fixed set of events with Mixpanel's own SDK and prints what it sent, as JSON.
//
//   node mixpanel.mjs http://127.0.0.1:7701/mixpanel KEY [bad]
//
// With "bad" it sends one batch that has a bad event among good ones, and one that is all bad.
// Printed: {"sent":[{path, …the event or update}],"errors":[{call, error}]}, in "sent" only what is right.
import Mixpanel from 'mixpanel';

const [, , base, key, mode] = process.argv;
if (!base || !key) {
  console.error('usage: node mixpanel.mjs BASE_URL KEY [bad]');
  process.exit(2);
}
const url = new URL(base);
const quietly = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };
const config = {
  host: url.host, protocol: url.protocol.slice(0, -1), path: url.pathname.replace(/\/$/, ''), logger: quietly, keepAlive: false,
};
const plain = Mixpanel.init(key, { ...config, geolocate: true });
const verbose = Mixpanel.init(key, { ...config, verbose: true });
// An import needs a key of its own; without TLS the SDK sends it as a parameter.
const importer = Mixpanel.init(key, { ...config, key });

const sent = [];
const errors = [];
const now = Date.now();

// call runs one SDK call that ends in a callback and notes its errors.
function call(name, run) {
  return new Promise((resolve) => {
    run((err) => {
      for (const one of [err ?? []].flat()) errors.push({ call: name, error: String(one.message ?? one) });
      resolve();
    });
  });
}

const copy = (value) => JSON.parse(JSON.stringify(value));
const note = (path, ...list) => sent.push(...list.map((one) => ({ path, ...copy(one) })));

async function track(client, name, event, properties) {
  note('/track', { event, properties });
  await call(name, (done) => client.track(event, properties, done));
}

async function good() {
  await track(plain, 'track', 'app_launch', {
    distinct_id: 'u-1', $insert_id: 'mp-node-1', time: now - 60_000, scene: 1011, price: 12.5, big: 9007199254740991,
    first: true, nothing: null, 商品: '苹果 🍎', list: ['a', 'b'], nested: { page: { name: 'home' }, depth: 2 }, empty: '',
  });
  await track(verbose, 'track verbose', 'pay_success', { distinct_id: 'u-1', $insert_id: 'mp-node-2', time: new Date(now - 30_000), amount: -0.25 });
  await track(plain, 'track without time', 'no_time', { distinct_id: 'u-2', $insert_id: 'mp-node-3' });
  await track(plain, 'track with device', 'sign_in', { $device_id: 'd-1', $user_id: 'u-1', distinct_id: 'u-1', $insert_id: 'mp-node-4', time: now - 20_000 });

  const batch = [];
  for (let i = 0; i < 120; i++) {
    batch.push({ event: 'view', properties: { distinct_id: `u-${i % 7}`, $insert_id: `mp-batch-${i}`, time: now - 100_000 + i, n: i } });
  }
  note('/track', ...batch);
  await call('track_batch', (done) => verbose.track_batch(batch, done));

  const old = { distinct_id: 'u-3', $insert_id: 'mp-import-1', plan: 'pro' };
  note('/import', { event: 'imported', properties: { ...old, time: now - 40 * 86_400_000 } });
  await call('import', (done) => importer.import('imported', new Date(now - 40 * 86_400_000), old, done));
  const imports = [1, 2, 3].map((i) => ({
    event: 'imported', properties: { distinct_id: 'u-3', $insert_id: `mp-import-batch-${i}`, time: now - i * 86_400_000, n: i },
  }));
  note('/import', ...imports);
  await call('import_batch', (done) => importer.import_batch(imports, done));

  note('/track', { event: '$create_alias', properties: { distinct_id: 'u-1', alias: 'mail@example.com' } });
  await call('alias', (done) => plain.alias('u-1', 'mail@example.com', done));

  const people = plain.people;
  const engage = async (name, operation, run) => {
    note('/engage', { $distinct_id: 'u-1', ...operation });
    await call(name, run);
  };
  await engage('people.set', { $set: { plan: 'pro', age: 33, $first_name: 'Ada' } }, (done) => people.set('u-1', { plan: 'pro', age: 33, $first_name: 'Ada' }, done));
  await engage('people.set_once', { $set_once: { first_seen: '2025-06-01' } }, (done) => people.set_once('u-1', { first_seen: '2025-06-01' }, done));
  await engage('people.increment', { $add: { visits: 1, credits: -3 } }, (done) => people.increment('u-1', { visits: 1, credits: -3 }, done));
  await engage('people.append', { $append: { pages: 'home' } }, (done) => people.append('u-1', 'pages', 'home', done));
  await engage('people.union', { $union: { tags: ['a', 'b'] } }, (done) => people.union('u-1', { tags: ['a', 'b'] }, done));
  await engage('people.remove', { $remove: { tags: 'a' } }, (done) => people.remove('u-1', { tags: 'a' }, done));
  await engage('people.unset', { $unset: ['age', 'credits'] }, (done) => people.unset('u-1', ['age', 'credits'], done));
  note('/engage', { $distinct_id: 'u-9', $delete: true });
  await call('people.delete_user', (done) => verbose.people.delete_user('u-9', done));

  const groups = plain.groups;
  const group = async (name, operation, run) => {
    note('/groups', { $group_key: 'company', $group_id: 'Acme', ...operation });
    await call(name, run);
  };
  await group('groups.set', { $set: { industry: 'widgets' } }, (done) => groups.set('company', 'Acme', { industry: 'widgets' }, done));
  await group('groups.union', { $union: { products: ['anvil'] } }, (done) => groups.union('company', 'Acme', { products: ['anvil'] }, done));
  await group('groups.unset', { $unset: ['industry'] }, (done) => groups.unset('company', 'Acme', 'industry', done));
}

async function bad() {
  const mixed = [
    { event: 'kept', properties: { distinct_id: 'u-1', $insert_id: 'mp-mixed-1', time: now, n: 1 } },
    { event: 'too_early', properties: { distinct_id: 'u-1', $insert_id: 'mp-mixed-2', time: now + 3 * 86_400_000 } },
  ];
  note('/track', mixed[0]);
  await call('mixed', (done) => verbose.track_batch(mixed, done));
  await call('all bad', (done) => verbose.track_batch([copy(mixed[1])], done));
  await call('all bad, not verbose', (done) => plain.track_batch([copy(mixed[1])], done));
  await call('wrong key', (done) => Mixpanel.init('no-such-key', config).track('x', { distinct_id: 'u-1' }, done));
  await call('wrong key, verbose', (done) => Mixpanel.init('no-such-key', { ...config, verbose: true }).track('x', { distinct_id: 'u-1' }, done));
}

await (mode === 'bad' ? bad() : good());
console.log(JSON.stringify({ sent, errors }));
