// The server behind a balancer that speaks the PROXY protocol: HAProxy, as others configure it.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { localCertificate } from './lib/certificate.mjs';
import { Connection } from './lib/connection.mjs';
import { startHaproxy } from './lib/haproxy.mjs';
import { explained } from './lib/logs.mjs';
import { startServer } from './lib/server.mjs';
import { attributeType, messageType, xorAddresses } from './lib/stun.mjs';
import { assertNothingLost, byPassword, startEchoPeer, uclient } from './lib/turnutils.mjs';
import { until, within } from './lib/until.mjs';

const introductions = ['tcp', 'tls'].flatMap((over) => ['v1', 'v2'].map((way) => ({ over, way })));
const userOf = ({ over, way }) => `${over}-${way}`;

describe('Behind HAProxy', { timeout: 120_000 }, () => {
  let server;
  let balancer;
  let peer;
  const connections = [];

  before(explained(async () => {
    const users = introductions.map(userOf);
    server = await startServer({ users, tls: true, proxied: true, allowPeers: ['127.0.0.0/8'] });
    balancer = await startHaproxy(server);
    peer = await startEchoPeer();
  }));
  after(async () => {
    for (const connection of connections) connection.discard();
    peer?.stop();
    await balancer?.stop();
    await server?.discard();
  });

  async function connect(over, port, address = '127.0.0.1') {
    const certificate = over === 'tls' ? await localCertificate() : undefined;
    const connection = await Connection.open({ port, address, certificate });
    connections.push(connection);
    return connection;
  }

  for (const { over, way } of introductions) {
    for (const address of ['127.0.0.1', '::1']) {
      it(`a client at ${address} over ${over}, introduced by ${way}, learns its own address`, explained(async () => {
        const connection = await connect(over, balancer.portFor(over, way), address);
        const answer = await connection.bind();
        assert.equal(answer.type, messageType.bindingSuccess);
        const own = { address, port: connection.socket.localPort };
        assert.deepEqual(xorAddresses(answer, attributeType.xorMappedAddress), [own]);
      }));
    }

    it(`an allocation over ${over}, introduced by ${way}, relays without loss`, explained(async () => {
      const front = { portFor: () => balancer.portFor(over, way) };
      const credentials = byPassword(userOf({ over, way }));
      const flags = ['-e', '127.0.0.1', '-r', String(peer.port)];
      const name = userOf({ over, way });
      assertNothingLost(await uclient({ name, server: front, over, via: '127.0.0.1', credentials, flags }), 2);
    }));
  }

  it('health checks with LOCAL headers find the server up', explained(async () => {
    for (const over of ['tcp', 'tls']) {
      await until(`${over} to be up`, async () => (await balancer.status(over, 'v2')).startsWith('UP'));
    }
  }));

  it('whom nobody introduces is not served', explained(async () => {
    const connection = await connect('tcp', balancer.portFor('tcp', 'none'));
    await assert.rejects(connection.bind(), /closed the connection/);
    await within(5_000, 'the balancer to close', connection.closed);
  }));

  it('the server counts no other trouble', explained(async () => {
    const counters = await server.stop();
    assert.equal(counters.streams_no_proxy_header, 1);
    assert.equal(counters.streams_broken, 0);
    assert.equal(counters.streams_refused_untrusted, 0);
  }));
});
