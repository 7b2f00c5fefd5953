// `turnpike nat-test` against our server, against coturn, against what is broken, and behind real
// NATs of nftables in network namespaces.

import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { localCertificate } from './lib/certificate.mjs';
import { startCoturn } from './lib/coturn.mjs';
import { explained } from './lib/logs.mjs';
import { freePort } from './lib/ports.mjs';
import { run } from './lib/process.mjs';
import { restSecret, startServer, staticPassword, turnpike } from './lib/server.mjs';
import { labObstacle, makeLab, serverAddresses } from './nat/lab.mjs';
import { startLabServer } from './nat/server.mjs';

const directory = mkdtempSync(path.join(tmpdir(), 'turnpike-e2e-nat-test-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
function file(name, text) {
  const name_ = path.join(directory, name);
  writeFileSync(name_, text, { mode: 0o600 });
  return `@${name_}`;
}
const secret = file('secret', restSecret);
const password = file('password', staticPassword);
const wrongPassword = file('wrong', 'no such password');

/// Runs the command with JSON output: {code, report}. `wrap` turns the command into another one.
async function natTest(args, { env, wrap = (...command) => command } = {}) {
  const [command, ...rest] = wrap(turnpike(), 'nat-test', ...args, '--output', 'json');
  const { code, output } = await run('nat-test', command, rest, { env: { ...process.env, ...env } });
  const json = /^\{[^]*?^\}$/m.exec(output);
  return { code, output, report: json && JSON.parse(json[0]) };
}

const stateOf = (report, transport) => report.paths.find((one) => one.transport === transport)?.state;

describe('turnpike nat-test on loopback', { timeout: 180_000 }, () => {
  let server;
  let trusted;
  before(explained(async () => {
    server = await startServer({
      users: ['alice'], tls: true, dtls: true, mobility: true, allowPeers: ['127.0.0.0/8'],
      discoveryAddresses: ['127.0.0.1', '127.0.0.2'],
    });
    trusted = { SSL_CERT_FILE: (await localCertificate()).certificate };
  }));
  after(() => server?.discard());

  const uris = () => [
    server.uri('127.0.0.1'),
    server.uri('127.0.0.1', 'tcp'),
    server.uri('127.0.0.1', 'tls'),
    `turns:127.0.0.1:${server.tlsPort}?transport=udp`,
  ];

  it('finds all of our server well, over all four transports', explained(async () => {
    const { code, report } = await natTest([...uris(), '--secret', secret], { env: trusted });
    assert.deepEqual(report.fixes, []);
    assert.equal(code, 0);
    assert.equal(report.verdict, 'ok');
    for (const transport of ['udp', 'tcp', 'tls', 'dtls']) assert.equal(stateOf(report, transport), 'ok');
    const [family] = report.families;
    assert.equal(family.udp, 'open');
    assert.equal(family.lost, 0);
    assert.equal(family.mapping.value, 'none');
    assert.equal(family.filtering.value, 'endpoint-independent');
    assert.equal(family.fragments.value, 'yes');
    assert.equal(family.alg.value, 'no');
    assert.equal(family.old_name, 'open internet');
    assert.equal(report.relay.echoes, 5);
    assert.equal(report.relay.reachable, 'yes');
    assert.equal(report.relay.mobility, 'yes');
    assert.ok(report.relay.received_mbit_s > 0);
    assert.ok(report.took_ms < 15_000);
  }));

  it('says so in a report for people', explained(async () => {
    const args = ['nat-test', server.uri('127.0.0.1'), '--user', 'alice', '--password', password];
    const { code, output } = await run('nat-test', turnpike(), args);
    assert.equal(code, 0);
    assert.match(output, /^UDP +open {2}RTT .*loss 0\/20, fragments ok, ALG none$/m);
    assert.match(output, /^TURN +udp:\d+ ok [\d.]+ ms$/m);
    assert.match(output, /^Verdict +No NAT, and nothing is filtered/m);
    assert.match(output, /The relay works\. Calls from here will work\.$/m);
  }));

  it('has nothing left on the server when it is done', explained(async () => {
    const { openRelays } = await import('./lib/ports.mjs');
    assert.deepEqual(await openRelays(server.relay), []);
  }));

  it('exits 4 when the password is wrong', explained(async () => {
    const { code, report } = await natTest([server.uri('127.0.0.1'), '--user', 'alice', '--password', wrongPassword]);
    assert.equal(code, 4);
    assert.equal(stateOf(report, 'udp'), 'credentials-refused');
    assert.match(report.fixes.join(), /check name and password/);
  }));

  it('takes a certificate that nobody vouches for as degraded', explained(async () => {
    const { code, report } = await natTest([...uris(), '--secret', secret]);
    assert.equal(code, 3);
    assert.equal(stateOf(report, 'udp'), 'ok');
    assert.equal(stateOf(report, 'tls'), 'certificate');
    assert.match(report.fixes.join(), /browsers will refuse it \(certificate: self.signed certificate\)/);
  }));

  it('takes a certificate of another name as wrong', explained(async () => {
    const { code, report } = await natTest([`turns:127.0.0.2:${server.tlsPort}?transport=tcp`], { env: trusted });
    // Nothing listens there for TLS; what does at 127.0.0.1 has a certificate for that address.
    assert.equal(stateOf(report, 'tls'), 'refused');
    assert.equal(code, 1);
  }));

  it('is content with a reachable server when it has no credentials', explained(async () => {
    const { code, report } = await natTest([server.uri('127.0.0.1')]);
    assert.equal(code, 0);
    assert.equal(stateOf(report, 'udp'), 'wants-credentials');
    assert.equal(report.relay, null);
  }));

  it('tries the usual ports of a bare host, and asks nobody to open them', explained(async () => {
    const { code, report } = await natTest([`127.0.0.1:${server.port}`, '--secret', secret]);
    assert.equal(code, 0);
    assert.deepEqual(report.paths.map(({ transport }) => transport), ['udp', 'tcp', 'tls', 'tls', 'dtls']);
    assert.deepEqual(report.paths.slice(0, 2).map(({ state }) => state), ['ok', 'ok']);
  }));

  it('has no lifetime to find where there is no NAT', explained(async () => {
    const { code, report } = await natTest([server.uri('127.0.0.1'), '--secret', secret, '--lifetime', '2s']);
    assert.equal(code, 0);
    assert.deepEqual(report.families[0].binding_lifetime, { value: 'inconclusive', reason: 'no-nat' });
  }));

  it('tests a STUN server without asking for a relay', explained(async () => {
    const { code, report } = await natTest([`stun:127.0.0.1:${server.port}`]);
    assert.equal(code, 0);
    assert.deepEqual(report.paths, []);
  }));

  it('speaks IPv6', explained(async () => {
    const { code, report } = await natTest([server.uri('::1'), '--secret', secret]);
    const [family] = report.families;
    assert.equal(family.family, 'ipv6');
    assert.equal(family.mapping.value, 'none');
    assert.deepEqual(family.filtering, { value: 'inconclusive', reason: 'no-other-address' });
    assert.equal(stateOf(report, 'udp'), 'ok');
    assert.match(report.relay.reachable_reason, /relays to no peers at ::1/);
    assert.equal(code, 0);
  }));

  it('gives a silent server up in good time, and says that there is no way', explained(async () => {
    const silent = dgram.createSocket('udp4').bind(0, '127.0.0.1');
    await once(silent, 'listening');
    const { code, report } = await natTest([`turn:127.0.0.1:${silent.address().port}`, '--secret', secret]);
    silent.close();
    assert.equal(code, 1);
    assert.equal(stateOf(report, 'udp'), 'timeout');
    assert.equal(report.families[0].udp, 'blocked');
    assert.ok(report.took_ms < 15_000);
  }));

  it('tells a port where nothing listens', explained(async () => {
    const port = await freePort();
    const { code, report } = await natTest([`turn:127.0.0.1:${port}`, `turn:127.0.0.1:${port}?transport=tcp`]);
    assert.equal(code, 1);
    assert.equal(stateOf(report, 'udp'), 'refused');
    assert.equal(stateOf(report, 'tcp'), 'refused');
  }));

  it('is degraded when one of the named URLs does not work', explained(async () => {
    const port = await freePort();
    const { code, report } = await natTest([server.uri('127.0.0.1'), `turn:127.0.0.1:${port}?transport=tcp`, '--secret', secret]);
    assert.equal(code, 3);
    assert.match(report.fixes.join(), new RegExp(`open ${port}/tcp .* or take the URL out of iceServers`));
  }));

  for (const [what, args] of [
    ['no target', []],
    ['two servers', ['turn:127.0.0.1', 'turn:127.0.0.2']],
    ['a password in the command line', ['127.0.0.1', '--user', 'alice', '--password', 'hunter2']],
    ['a lifetime of a day', ['127.0.0.1', '--lifetime', '24h']],
  ]) {
    it(`exits 2 for ${what}`, explained(async () => {
      const { code, output } = await natTest(args);
      assert.equal(code, 2);
      assert.doesNotMatch(output.split('\n').slice(1).join('\n'), /hunter2/);
    }));
  }
});

describe('turnpike nat-test against coturn', { timeout: 60_000 }, () => {
  it('finds it well, and its relay too', explained(async () => {
    const coturn = await startCoturn({ users: ['alice'], moreAddresses: ['127.0.0.2'] });
    try {
      const env = { SSL_CERT_FILE: (await localCertificate()).certificate };
      const { code, report } = await natTest([
        `turn:127.0.0.1:${coturn.port}`, `turn:127.0.0.1:${coturn.port}?transport=tcp`,
        `turns:127.0.0.1:${coturn.tlsPort}`, '--user', 'alice', '--password', password,
      ], { env });
      for (const transport of ['udp', 'tcp', 'tls']) assert.equal(stateOf(report, transport), 'ok');
      assert.equal(report.families[0].mapping.value, 'none');
      assert.equal(report.families[0].filtering.value, 'endpoint-independent');
      assert.equal(report.relay.echoes, 5);
      assert.equal(report.relay.reachable, 'yes');
      assert.equal(code, 0);
    } finally {
      await coturn.discard();
    }
  }));
});

describe('turnpike nat-test behind NATs', { timeout: 200_000, skip: labObstacle() }, () => {
  // What each box is; `direct` and the firewalls have no NAT.
  const kinds = {
    direct: ['none', 'endpoint-independent', 'open internet'],
    firewall: ['none', 'address-and-port-dependent', 'symmetric UDP firewall'],
    firewallByAddress: ['none', 'address-dependent', 'symmetric UDP firewall'],
    open: ['endpoint-independent', 'endpoint-independent', 'full cone'],
    byAddress: ['endpoint-independent', 'address-dependent', 'restricted cone'],
    easy: ['endpoint-independent', 'address-and-port-dependent', 'port-restricted cone'],
    mappingByAddress: ['address-dependent', 'address-and-port-dependent', 'symmetric NAT'],
    symmetric: ['address-and-port-dependent', 'address-and-port-dependent', 'symmetric NAT'],
  };
  let lab;
  let server;
  before(explained(async () => {
    const homes = Object.keys(kinds).map((kind) => [kind, kind]);
    lab = makeLab({ ...Object.fromEntries(homes), noUdp: 'noUdp', forgetful: 'easy' });
    server = await startLabServer(lab, { discovery: true });
  }));
  after(async () => {
    await server?.discard();
    lab?.remove();
  });

  const [address] = serverAddresses;
  function testFrom(home, ...args) {
    const wrap = (program, ...rest) => {
      const [outer, outerArgs] = home.command(program, rest);
      return [outer, ...outerArgs];
    };
    return natTest([...args, '--secret', secret], { wrap });
  }

  for (const [kind, [mapping, filtering, oldName]] of Object.entries(kinds)) {
    it(`finds that ${kind} maps ${mapping} and filters ${filtering}`, explained(async () => {
      const home = lab.homes[kind];
      const { code, report } = await testFrom(home, `turn:${address}`);
      const [family] = report.families;
      assert.deepEqual(family.mapping, { value: mapping });
      assert.deepEqual(family.filtering, { value: filtering });
      assert.equal(family.old_name, oldName);
      assert.equal(family.local, home.address);
      assert.equal(family.interface, 'up0');
      assert.equal(family.public.split(':')[0], home.publicAddress);
      if (mapping !== 'none') assert.equal(family.hairpin.value, kind === 'open' ? 'yes' : 'no');
      assert.equal(report.relay.reachable, 'yes');
      assert.equal(report.relay.echoes, 5);
      assert.equal(code, 0);
    }));
  }

  it('finds how long a NAT keeps a silent binding', explained(async () => {
    const { forgetful, easy } = lab.homes;
    for (const name of ['nf_conntrack_udp_timeout', 'nf_conntrack_udp_timeout_stream']) {
      forgetful.box.run('sysctl', ['-q', '-w', `net.netfilter.${name}=5`]);
    }
    const args = [`turn:${address}`, '--lifetime', '12s'];
    const [short, long] = await Promise.all([testFrom(forgetful, ...args), testFrom(easy, ...args)]);
    // Tried are 1, 10 and 12 seconds; Linux itself keeps them for half a minute.
    assert.deepEqual(short.report.families[0].binding_lifetime, { at_least_s: 1, less_than_s: 10 });
    assert.deepEqual(long.report.families[0].binding_lifetime, { at_least_s: 12 });
    for (const { code } of [short, long]) assert.equal(code, 0);
  }));

  it('finds that UDP is blocked, and the way over TCP', explained(async () => {
    const { code, report } = await testFrom(lab.homes.noUdp, `turn:${address}`, `turn:${address}?transport=tcp`);
    assert.equal(report.families[0].udp, 'blocked');
    assert.equal(stateOf(report, 'udp'), 'timeout');
    assert.equal(stateOf(report, 'tcp'), 'ok');
    assert.equal(report.relay.path, 'tcp:3478');
    assert.equal(report.relay.echoes, 5);
    assert.equal(code, 3);
    assert.match(report.sentences.join(' '), /UDP does not reach the server/);
  }));

  it('finds relay ports that are closed', explained(async () => {
    lab.server.run('nft', ['-f', '-'], {
      input: 'table ip closed { chain input { type filter hook input priority filter; iifname "wire" udp dport 49152-65535 drop\n}\n}\n',
    });
    try {
      const { code, report } = await testFrom(lab.homes.easy, `turn:${address}`);
      assert.equal(report.relay.reachable, 'no');
      assert.equal(code, 3);
      assert.match(report.fixes.join(), /Open the server's whole range of relay ports/);
    } finally {
      lab.server.run('nft', ['delete', 'table', 'ip', 'closed']);
    }
  }));
});
