// The server under test: its configuration, its start, its end, and credentials for it.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { localCertificate } from './certificate.mjs';
import { freePort, relayPortRange } from './ports.mjs';
import { start } from './process.mjs';
import { answersBinding } from './stun.mjs';
import { until, within } from './until.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const defaultBinary = path.resolve(here, '../../../build/release/turnpike');

/// The binary under test.
export const turnpike = () => process.env.TURNPIKE_BINARY ?? defaultBinary;

/// The secret that REST credentials are made with; the server wants 32 bytes at least.
export const restSecret = 'end-to-end-tests-only-not-a-secret-0123456789';

/// The password of every static user in these tests.
export const staticPassword = 'correct horse battery staple';

// JSON's strings, numbers and lists are TOML's, for the plain ASCII used here.
const toToml = JSON.stringify;
const onLoopback = (port) => [`127.0.0.1:${port}`, `[::1]:${port}`];

function toml({
  port, alsoListenOn, tls, dtls, proxied, natDiscovery, relay, relaying, tcpRelays, mobility, workers, limits, signaling, users,
  apiKeys, secret, httpPort, metricsListen, webRoot, domain,
}) {
  const inlineUsers = users.map((name) => `{ name = ${toToml(name)}, password = ${toToml(staticPassword)} }`);
  const inlineKeys = Object.entries(apiKeys ?? {}).map(([id, value]) => `{ id = ${toToml(id)}, value = ${toToml(value)} }`);
  return [
    'realm = "e2e.turnpike.test"',
    `workers = ${workers}`,
    ...(domain ? [`domain = ${toToml(domain)}`] : []),
    '',
    ...(tls ? ['[tls]', `certificate = ${toToml(tls.certificate)}`, `key = ${toToml(tls.key)}`, ''] : []),
    '[listen]',
    `udp = ${toToml([...onLoopback(port), ...alsoListenOn.map((address) => `${address}:${port}`)])}`,
    `tcp = ${toToml([...onLoopback(port), ...(proxied ? [`127.0.0.1:${proxied.tcp}`] : [])])}`,
    `tls = ${toToml([...(tls ? onLoopback(tls.port) : []), ...(proxied ? [`127.0.0.1:${proxied.tls}`] : [])])}`,
    ...(httpPort ? [`http = ${toToml(onLoopback(httpPort))}`] : []),
    ...(dtls ? [`dtls = ${toToml([...onLoopback(port), ...onLoopback(tls.port)])}`] : []),
    ...(proxied
      ? [
          `proxy_protocol = ${toToml(Object.entries(proxied).map(([over, at]) => `${over}:127.0.0.1:${at}`))}`,
          'proxy_trusted = ["127.0.0.1"]',
        ]
      : []),
    '',
    ...(natDiscovery
      ? ['[nat_discovery]', ...Object.entries(natDiscovery).map(([key, value]) => `${key} = ${toToml(value)}`), '']
      : []),
    '[relay]',
    `ports = "${relay.first}-${relay.last}"`,
    `tcp = ${tcpRelays}`,
    `mobility = ${mobility}`,
    ...Object.entries(relaying).map(([key, value]) => `${key} = ${toToml(value)}`),
    '',
    '[limits]',
    ...Object.entries(limits).map(([key, value]) => `${key} = ${toToml(value)}`),
    '',
    '[signaling]',
    ...Object.entries(signaling).map(([key, value]) => `${key} = ${toToml(value)}`),
    '',
    ...(webRoot ? ['[web]', `root = ${toToml(webRoot)}`, ''] : []),
    '[metrics]',
    `listen = ${toToml(metricsListen)}`,
    '',
    '[auth]',
    `secrets = [{ id = "t", value = ${toToml(secret)} }]`,
    `users = [${inlineUsers.join(', ')}]`,
    ...(apiKeys ? [`api_keys = [${inlineKeys.join(', ')}]`] : []),
    '',
  ].join('\n');
}

// Every client here has the same address, so what limits one would be shared by all.
const noLimits = {
  challenge_rate: 0,
  tcp_connections_per_address: 0,
  handshake_rate: 0,
  handshake_rate_total: 0,
};

/// The environment without what would override the configuration file.
function cleanEnvironment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TURNPIKE__')));
}

/// Makes a time-limited credential as a web service would: the user name is the expiry and a
/// name, the password the base64 of HMAC-SHA1(secret, user name).
export function mintRestCredential(name, { secret = restSecret, lifetimeS = 600 } = {}) {
  const username = `${Math.floor(Date.now() / 1000) + lifetimeS}:${name}`;
  const credential = createHmac('sha1', secret).update(username).digest('base64');
  return { username, credential };
}

/// What the server counted, from the line it logs when it stops: messages by where they ended.
function countersIn(log) {
  const line = log.split('\n').findLast((text) => text.includes('"event":"counters"'));
  assert.ok(line, 'the log ends without a line of counters');
  return Object.fromEntries(Object.entries(JSON.parse(line)).map(([name, value]) => [name, Number(value)]));
}

/// The environment of a server with room for one allocation, which sends other clients elsewhere.
export const fullServer = {
  TURNPIKE__RELAY__MAX_ALLOCATIONS: '1',
  TURNPIKE__RELAY__ALTERNATE_SERVERS: '192.0.2.5:3478, [2001:db8::5]:3478',
  TURNPIKE__RELAY__ALTERNATE_TLS_SERVERS: '192.0.2.5:5349, [2001:db8::5]:5349',
  TURNPIKE__RELAY__ALTERNATE_DOMAIN: 'turn2.example.com',
};

/// Starts the server and returns once it answers on IPv4 and IPv6.
///
/// `users` are static users with `staticPassword`. `allowPeers` are the CIDRs of the hard-denied
/// ranges (loopback, in these tests) whose peers may be reached all the same. `tls` also opens TLS
/// listeners: true for those with `localCertificate()`, or files like those that it returns. `dtls`
/// adds DTLS, on the port of UDP and, alone there, on the UDP port with the number of the TLS port.
/// `proxied` opens a TCP and a TLS listener more, on 127.0.0.1, for balancers with the PROXY protocol.
/// `alsoListenOn` are further addresses for UDP. `limits` are keys of that section of the configuration; `relayPorts` is how many ports there are.
/// `discoveryAddresses` switch NAT behaviour discovery on, with the server's port and the next one.
/// `binary` and `environment` are for servers that are not the ordinary one; `options` are further
/// ones of `turnpike serve`. `tcpRelays` allows TCP allocations (RFC 6062), `mobility` moving ones
/// (RFC 8016); `workers` is how many there are, one per core unless given. `signaling` are keys of that
/// section, `relaying` further ones of [relay], `apiKeys` the API keys by their ids. `http` opens a plain HTTP listener too; `metricsListen`,
/// `webRoot` and `domain` are the keys of the configuration that are called so.
export async function startServer({
  users = [], allowPeers = [], tls, dtls, proxied, limits, relayPorts, discoveryAddresses, binary, environment,
  options = [], relaying = {}, alsoListenOn = [], tcpRelays = false, mobility = false, workers = 0, signaling = {},
  apiKeys, http = false, metricsListen = '', webRoot, domain,
} = {}) {
  const port = await freePort({ following: discoveryAddresses ? 1 : 0 });
  const tlsPort = tls && (await freePort());
  const httpPort = http && (await freePort());
  const proxiedPorts = proxied && {
    tcp: await freePort(),
    tls: await freePort(),
  };
  const files = tls === true ? await localCertificate() : tls;
  const directory = await mkdtemp(path.join(tmpdir(), 'turnpike-e2e-'));
  const config = path.join(directory, 'turnpike.toml');
  const settings = {
    port,
    alsoListenOn,
    tls: tls && { ...files, port: tlsPort },
    natDiscovery: discoveryAddresses && { addresses: discoveryAddresses, ports: [port, port + 1] },
    dtls,
    proxied: proxiedPorts,
    relay: relayPortRange({ ports: relayPorts }),
    relaying,
    limits: { ...noLimits, ...limits },
    signaling,
    users,
    tcpRelays,
    mobility,
    workers,
    apiKeys,
    secret: restSecret,
    httpPort,
    metricsListen,
    webRoot,
    domain,
  };
  await writeFile(config, toml(settings), { mode: 0o600 });

  const flags = allowPeers.flatMap((cidr) => ['--insecure-allow-peers', cidr]);
  const command = ['serve', '--config', config, ...flags, ...options];
  const env = { ...cleanEnvironment(), ...environment };
  const program = binary ?? turnpike();
  let server = start('server', program, command, { env });

  async function discard() {
    server.kill('SIGKILL');
    await rm(directory, { recursive: true, force: true });
  }

  async function answersOn(address) {
    // Without this a server that refused its configuration would be polled until the deadline.
    if (server.hasEnded()) {
      const { code } = await server.ended;
      throw new Error(`the server ended with exit code ${code} before it answered:\n${server.log.text}`);
    }
    return answersBinding({ address, port });
  }

  async function untilItAnswers() {
    try {
      for (const address of ['127.0.0.1', '::1']) {
        await until(`the server to answer on ${address}`, () => answersOn(address), { everyMs: 20 });
      }
    } catch (error) {
      await discard();
      throw error;
    }
  }
  await untilItAnswers();

  return {
    /// The port for UDP and TCP.
    port,

    /// The port for TLS, if there is one.
    tlsPort,

    /// The port for plain HTTP, if there is one.
    httpPort,

    /// The ports for balancers, as {tcp, tls}, if there are any.
    proxiedPorts,

    portFor: (transport) => (transport === 'tls' || transport === 'dtls' ? tlsPort : port),

    /// The TURN URI (RFC 7065) of this server at a loopback address, for "udp", "tcp" or "tls".
    uri(address, transport = 'udp') {
      const host = address.includes(':') ? `[${address}]` : address;
      if (transport === 'tls') return `turns:${host}:${tlsPort}?transport=tcp`;
      return `turn:${host}:${port}?transport=${transport}`;
    },

    /// Ends the server as systemd would, insists on a clean end, and returns its counters: the
    /// number of messages by the name of their Reason, and of TCP and TLS connections.
    async stop() {
      server.kill('SIGTERM');
      const end = await within(10_000, 'the server to stop after SIGTERM', server.ended);
      assert.deepEqual(end, { code: 0, signal: null }, 'SIGTERM ends the server with exit code 0');
      return countersIn(server.log.text);
    },

    /// Kills it, as a crash would, and starts it again on the same ports.
    async restart() {
      server.kill('SIGKILL');
      await server.ended;
      server = start('server', program, command, { env });
      await untilItAnswers();
    },

    /// Its configuration file.
    config,

    /// Writes the configuration anew with other `settings`: those above by their names, and `secret`.
    async reconfigure({ tls: files, ...others }) {
      Object.assign(settings, others, files && { tls: { ...files, port: tlsPort } });
      await writeFile(config, toml(settings));
    },

    /// Its process, for what `stop` does not do.
    get process() {
      return server;
    },

    /// Its relay ports, {first, last}.
    relay: settings.relay,

    /// Removes whatever is left, for a test run that did not come to `stop`.
    discard,
  };
}
