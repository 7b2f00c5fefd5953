// TCP relays (RFC 6062) with coturn's client. With -T its clients come in couples: one connects from
// its relayed address to the other's, and both bind a data connection.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { explained } from './lib/logs.mjs';
import { startServer } from './lib/server.mjs';
import { assertNothingLost, byPassword, uclient } from './lib/turnutils.mjs';

const oneMinuteMs = 60_000;
const flows = 2; // more couples confuse the tool: docs/rfc-map.md

const cases = ['tcp', 'tls'].flatMap((over) => [
  { user: `${over}-v4`, does: 'over IPv4', over, via: '127.0.0.1', flags: ['-T'] },
  { user: `${over}-v6`, does: 'over IPv6', over, via: '::1', flags: ['-T', '-x'] },
  { user: `${over}-large`, does: 'of 1200 bytes every 5 ms', over, via: '127.0.0.1', flags: ['-T', '-z', '5'], dataBytes: 1200 },
]);

describe('turnutils_uclient with TCP relays', { timeout: oneMinuteMs }, () => {
  let server;
  before(explained(async () => {
    // Three workers, so that data connections come to others than the one that has the allocation.
    const users = cases.map(({ user }) => user);
    server = await startServer({ users, tls: true, tcpRelays: true, workers: 3 });
  }));
  after(() => server?.discard());

  describe('gets every message', { concurrency: true }, () => {
    for (const { user, does, over, via, flags, dataBytes = 400 } of cases) {
      it(`through ${over}: ${[does, ...flags].join(' ')}`, explained(async () => {
        const options = { name: user, server, over, via, credentials: byPassword(user), flags, dataBytes };
        assertNothingLost(await uclient(options), flows);
      }));
    }
  });

  it('was counted by the server, which then stops cleanly', explained(async () => {
    const counters = await server.stop();
    const couples = cases.length;
    assert.equal(counters.answered_connected, couples);
    assert.equal(counters.relayed_attempt, couples);
    assert.equal(counters.answered_connection_bind, 2 * couples);
  }));
});

describe('A server without relay.tcp', { timeout: oneMinuteMs }, () => {
  let server;
  before(explained(async () => (server = await startServer({ users: ['user'] }))));
  after(() => server?.discard());

  it('refuses TCP allocations with 442', explained(async () => {
    const options = { name: 'no TCP relays', server, over: 'tcp', via: '127.0.0.1', credentials: byPassword('user') };
    const { code, output } = await uclient({ ...options, flags: ['-T'] });
    assert.match(output, /error 442/);
    assert.notEqual(code, 0);
  }));
});
