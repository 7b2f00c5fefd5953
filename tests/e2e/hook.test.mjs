// Users that only the operator's own service knows (auth.hook): turnutils_uclient against a real
// server that asks a real HTTP service.

import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { startServer } from './lib/server.mjs';
import { assertNothingLost, neverSilent, progress, startEchoPeer, startUclient, uclient } from './lib/turnutils.mjs';
import { until } from './lib/until.mjs';

const hookSecret = 'a secret that signs the questions of these tests';
const password = 'open sesame and close it again';

/// The operator's service. `answer(username)` gives a status and a body.
async function startHook() {
  const hook = {
    questions: [],
    answer: () => [404, ''],
  };
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    const [, time, mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(request.headers['turnpike-signature']);
    assert.equal(createHmac('sha256', hookSecret).update(`${time}.${body}`).digest('hex'), mac);
    const question = JSON.parse(body);
    hook.questions.push(question);
    const [status, text] = hook.answer(question.username);
    response.writeHead(status, { 'content-type': 'application/json' }).end(text);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  hook.url = `http://127.0.0.1:${server.address().port}/turn-user`;
  hook.stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return hook;
}

describe('A user whom only the hook knows', () => {
  let hook;
  let server;
  let peer;
  before(async () => {
    hook = await startHook();
    peer = await startEchoPeer();
    server = await startServer({
      allowPeers: ['127.0.0.0/8'],
      options: neverSilent,
      environment: {
        TURNPIKE__AUTH__HOOK: hook.url,
        TURNPIKE__AUTH__HOOK_SECRET: hookSecret,
        TURNPIKE__AUTH__HOOK_TIMEOUT: '1s',
        TURNPIKE__AUTH__HOOK_TTL: '1s',
      },
    });
  });
  after(async () => {
    await server?.stop();
    peer?.stop();
    hook?.stop();
  });

  const flagsOf = (user, { over = 'udp', secret = password } = {}) => ({
    name: `${user} over ${over}`,
    server,
    over,
    via: '127.0.0.1',
    credentials: ['-u', user, '-w', secret],
    flags: ['-e', '127.0.0.1', '-r', String(peer.port), '-m', '1', '-c'],
  });
  const relay = (user, how) => uclient(flagsOf(user, how));
  const knows = (answer) => {
    hook.questions = [];
    hook.answer = answer;
  };

  for (const over of ['udp', 'tcp']) {
    it(`relays over ${over}, by a password that the hook says`, async () => {
      knows(() => [200, JSON.stringify({ password })]);
      assertNothingLost(await relay(`dora-${over}`, { over }), 1);
      assert.deepEqual(hook.questions[0], { username: `dora-${over}`, realm: 'e2e.turnpike.test' });
    });
  }

  it('relays by keys that the hook says, which never had the password', async () => {
    const md5 = createHash('md5').update(`boots:e2e.turnpike.test:${password}`).digest('hex');
    knows(() => [200, JSON.stringify({ keys: { md5 } })]);
    assertNothingLost(await relay('boots'), 1);
  });

  it('is refused with another password, and when the hook knows no such user', async () => {
    knows((name) => (name === 'swiper' ? [404, ''] : [200, JSON.stringify({ password })]));
    assert.notEqual((await relay('dora', { secret: 'guess' })).code, 0);
    assert.notEqual((await relay('swiper')).code, 0);
  });

  it('relays on what the hook said before, while it fails', async () => {
    knows(() => [200, JSON.stringify({ password })]);
    assertNothingLost(await relay('tico'), 1);
    knows(() => [503, 'out of order']);
    for (let i = 0; i < 3; ++i) assertNothingLost(await relay('tico'), 1);
  });

  it('is not let in while the hook fails and has never said anything', async () => {
    await server.restart(); // it may not ask after so many failures, and remembers none of its users
    knows(() => [200, '{"password":']);
    const client = await startUclient(flagsOf('benny'));
    await until('the hook to be asked twice', () => hook.questions.length >= 2);
    client.kill('SIGKILL');
    await client.ended;
    assert.deepEqual(progress(client.log.text), { sent: 0, received: 0 });
  });
});
