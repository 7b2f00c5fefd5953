// coturn's turnutils_natdiscovery (RFC 5780) against our server on two loopback addresses. There is
// no NAT here, so that is what it must find.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { explained } from './lib/logs.mjs';
import { run } from './lib/process.mjs';
import { startServer } from './lib/server.mjs';

const oneMinuteMs = 60_000;
const here = ['-L', '127.0.0.1']; // only then the tool can tell that its address was not changed

describe('turnutils_natdiscovery', { timeout: oneMinuteMs }, () => {
  let server;
  let port;
  before(explained(async () => {
    server = await startServer({ discoveryAddresses: ['127.0.0.1', '127.0.0.2'] });
    ({ port } = server);
  }));
  after(() => server?.discard());

  async function discover(...flags) {
    const args = [...flags, '-p', String(port), '127.0.0.1'];
    const { code, output } = await run('turnutils_natdiscovery', 'turnutils_natdiscovery', args);
    assert.equal(code, 0);
    assert.doesNotMatch(output, /ALG detected|error|timeout/i);
    return output;
  }
  const origins = (output) => [...output.matchAll(/Response origin: : (\S+)/g)].map(([, origin]) => origin);
  const others = (output) => [...output.matchAll(/Other addr: : (\S+)/g)].map(([, other]) => other);

  for (const padding of [[], ['-P']]) {
    const how = padding.length > 0 ? ', with 1500 bytes of PADDING both ways' : '';

    it(`finds that addresses are not mapped${how}`, explained(async () => {
      const output = await discover('-m', ...here, ...padding);
      assert.match(output, /No NAT! \(Endpoint Independent Mapping\)/);
      assert.match(output, /NAT with Endpoint Independent Mapping!/);
      assert.ok(origins(output).includes(`127.0.0.2:${port}`), 'the second address was asked as well');
      assert.deepEqual(new Set(others(output)), new Set([`127.0.0.2:${port + 1}`, `127.0.0.1:${port + 1}`]));
    }));

    it(`finds that nothing is filtered${how}: an answer comes from the other address and port`, explained(async () => {
      const output = await discover('-f', ...here, ...padding);
      assert.match(output, /NAT with Endpoint Independent Filtering!/);
      assert.equal(origins(output).at(-1), `127.0.0.2:${port + 1}`);
    }));

    it(`finds that two addresses with one port do not collide${how}`, explained(async () => {
      const output = await discover('-c', ...here, '-A', '127.0.0.3', ...padding);
      const mapped = [...output.matchAll(/UDP reflexive addr: (\S+):(\d+)/g)];
      assert.deepEqual(mapped.map(([, address]) => address), ['127.0.0.1', '127.0.0.3']);
      assert.equal(mapped[0][2], mapped[1][2]);
    }));

    it(`finds that hairpinning works${how}`, explained(async () => {
      assert.match(await discover('-H', ...padding), /maybe a successful hairpinning/);
    }));
  }

  it('measures a lifetime with RESPONSE-PORT', explained(async () => {
    const output = await discover('-t', '-T', '1');
    assert.match(output, /RFC 5780 response 2/); // that which was asked for from another port
  }));

  it('leaves the server able to stop cleanly', explained(async () => {
    const counters = await server.stop();
    assert.deepEqual(Object.keys(counters).filter((name) => /^(refused|dropped)/.test(name)), []);
  }));
});

describe('turnutils_natdiscovery, where the usage is off', { timeout: oneMinuteMs }, () => {
  it('learns of no other address', explained(async () => {
    const server = await startServer();
    try {
      const args = ['-f', '-p', String(server.port), '127.0.0.1'];
      const { output } = await run('turnutils_natdiscovery', 'turnutils_natdiscovery', args);
      assert.doesNotMatch(output, /Other addr/);
      await server.stop();
    } finally {
      await server.discard();
    }
  }));
});
