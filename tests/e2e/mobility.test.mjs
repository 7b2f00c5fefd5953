// Mobility (RFC 8016) with coturn's client. With -M it asks for a ticket, then opens another socket,
// having closed the old one or not, and sends its Refresh with the ticket twice, as if the answer had
// been lost.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { explained } from './lib/logs.mjs';
import { startServer } from './lib/server.mjs';
import { assertNothingLost, byPassword, startEchoPeer, uclient } from './lib/turnutils.mjs';

const oneMinuteMs = 60_000;
const v4 = '127.0.0.1';
const v6 = '::1';

// "2 flows" is one client with its RTCP pair: see turnutils.test.mjs. Each allocation moves once.
const cases = ['udp', 'tcp', 'tls'].flatMap((over) => [
  { user: `${over}-channels`, does: 'channels', over, via: v4, flags: [], flows: 2 },
  { user: `${over}-send`, does: 'Send indications', over, via: v4, flags: ['-s'], flows: 2 },
  { user: `${over}-v6`, does: 'channels over IPv6', over, via: v6, flags: ['-x'], flows: 2 },
  { user: `${over}-many`, does: 'channels of four clients at once', over, via: v4, flags: ['-m', '8'], flows: 8 },
]);

describe('turnutils_uclient that moves', { timeout: oneMinuteMs }, () => {
  let server;
  let peer;
  before(explained(async () => {
    peer = await startEchoPeer();
    // Three workers, so that most clients come to another than the one that has their allocation.
    const users = cases.map(({ user }) => user);
    server = await startServer({ users, allowPeers: ['127.0.0.0/8', '::1/128'], tls: true, mobility: true, workers: 3 });
  }));
  after(async () => {
    peer?.stop();
    await server?.discard();
  });

  describe('gets every message back', { concurrency: true }, () => {
    for (const { user, does, over, via, flags, flows } of cases) {
      it(`through ${over}: ${[does, ...flags].join(' ')}`, explained(async () => {
        const options = { name: user, server, over, via, credentials: byPassword(user) };
        assertNothingLost(await uclient({ ...options, flags: ['-M', ...flags, '-e', via, '-r', String(peer.port)] }), flows);
      }));
    }
  });

  it('was counted by the server, which then stops cleanly', explained(async () => {
    const counters = await server.stop();
    const moves = cases.reduce((sum, { flows }) => sum + flows, 0);
    assert.ok(counters.answered_move >= 2 * moves, `${counters.answered_move} moves answered, each twice`);
    assert.ok(counters.relayed_to_home > 0, 'some clients came to another worker');
    assert.equal(counters.dropped_no_allocation ?? 0, 0);
  }));
});
