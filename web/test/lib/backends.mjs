// The servers that the browser tests run against. Each has `url`, `restart()` and `stop()`.

import { TestServer } from './test_server.mjs';

async function startTestServer() {
  let server = await TestServer.start();
  const { url, port } = server;
  return {
    url,
    async restart() {
      await server.stop();
      server = await TestServer.start({ port });
    },
    stop: () => server.stop(),
  };
}

export const backends = [{ name: 'the small server of the tests', start: startTestServer }];
