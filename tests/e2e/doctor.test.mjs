// `turnpike doctor`: a healthy server, and set-ups each broken in one way that its check must find.

import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { explained } from './lib/logs.mjs';
import { freePort, relayPortRange } from './lib/ports.mjs';
import { run, start } from './lib/process.mjs';
import { restSecret, turnpike } from './lib/server.mjs';
import { until, within } from './lib/until.mjs';
import { labObstacle, makeLab } from './nat/lab.mjs';
import { startLabServer } from './nat/server.mjs';

const directory = mkdtempSync(path.join(tmpdir(), 'turnpike-e2e-doctor-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

/// What depends on the machine that the tests run on, and on nothing here.
const ofTheMachine = ['clock', 'socket-buffers', 'conntrack', 'open-files', 'local-ports', 'firewall'];

let certificatesMade = 0;
/// A certificate for localhost that is its own authority. `dates` are arguments of `openssl ca`.
async function certificate({ name = 'localhost', dates = ['-days', '90'] } = {}) {
  const base = path.join(directory, `certificate-${(certificatesMade += 1)}`);
  const files = { certificate: `${base}.pem`, key: `${base}.key` };
  const openssl = async (...args) => {
    const { code, output } = await run('openssl', 'openssl', args);
    assert.equal(code, 0, output);
  };
  await openssl('req', '-new', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
    '-subj', `/CN=${name}`, '-keyout', files.key, '-out', `${base}.csr`);
  writeFileSync(`${base}.index`, '');
  writeFileSync(`${base}.cnf`, [
    '[ca]', 'default_ca = one', '[one]', `database = ${base}.index`, `new_certs_dir = ${directory}`,
    'rand_serial = yes', 'default_md = sha256', 'policy = any', 'x509_extensions = ext',
    '[any]', 'commonName = supplied', '[ext]', `subjectAltName = DNS:${name}`, '',
  ].join('\n'));
  await openssl('ca', '-batch', '-selfsign', '-notext', '-config', `${base}.cnf`, '-keyfile', files.key,
    '-in', `${base}.csr`, '-out', files.certificate, ...dates);
  return files;
}

let configurationsMade = 0;
/// A configuration on loopback. `head` are lines before the sections.
async function configure({ tls, secret = restSecret, head = ['domain = "localhost"'], port } = {}) {
  const relay = relayPortRange();
  const ports = { stun: port ?? (await freePort()), tls: await freePort(), metrics: await freePort() };
  const file = path.join(directory, `turnpike-${(configurationsMade += 1)}.toml`);
  const both = (number) => JSON.stringify([`127.0.0.1:${number}`, `[::1]:${number}`]);
  writeFileSync(file, [
    ...head,
    'workers = 1',
    ...(tls ? ['[tls]', `certificate = "${tls.certificate}"`, `key = "${tls.key}"`] : []),
    '[listen]',
    `udp = ${both(ports.stun)}`,
    `tcp = ${both(ports.stun)}`,
    `tls = ${tls ? both(ports.tls) : '[]'}`,
    `dtls = ${tls ? both(ports.tls) : '[]'}`,
    '[relay]',
    `ports = "${relay.first}-${relay.last}"`,
    '[metrics]',
    `listen = "127.0.0.1:${ports.metrics}"`,
    '[auth]',
    `secrets = [{ id = "t", value = "${secret}" }]`,
    '',
  ].join('\n'), { mode: 0o600 });
  return { file, ports };
}

async function serve(file, wrap = (...command) => command) {
  const [command, ...args] = wrap(turnpike(), 'serve', '--config', file);
  const server = start('server', command, args);
  await until('the server to start', () => server.hasEnded() || server.log.text.includes('started'), { everyMs: 20 });
  assert.ok(!server.hasEnded(), server.log.text);
  return {
    async stop() {
      server.kill('SIGTERM');
      await within(10_000, 'the server to stop', server.ended);
    },
  };
}

/// {code, findings, output}
async function doctor(file, { env, wrap = (...command) => command } = {}) {
  const [command, ...args] = wrap(turnpike(), 'doctor', '--config', file, '--output', 'json');
  const { code, output } = await run('doctor', command, args, { env: { ...process.env, ...env } });
  const json = /^\{[^]*?^\}$/m.exec(output);
  return { code, output, findings: json ? JSON.parse(json[0]).findings : [] };
}

const bad = (findings) => findings.filter(({ level }) => level === 'warning' || level === 'problem');
const ofHere = (findings) => findings.filter(({ check }) => !ofTheMachine.includes(check.split(' ')[0]));
const find = (findings, check) => findings.find((one) => one.check.startsWith(check));

describe('turnpike doctor', { timeout: 240_000 }, () => {
  it('finds nothing wrong with a healthy server', explained(async () => {
    const tls = await certificate();
    const { file, ports } = await configure({ tls });
    const server = await serve(file);
    try {
      const { code, findings } = await doctor(file, { env: { SSL_CERT_FILE: tls.certificate } });
      assert.deepEqual(bad(ofHere(findings)), []);
      assert.equal(code, bad(findings).length === 0 ? 0 : bad(findings).some(({ level }) => level === 'problem') ? 1 : 3);
      for (const transport of ['udp', 'tcp', 'tls', 'dtls']) {
        const port = transport === 'udp' || transport === 'tcp' ? ports.stun : ports.tls;
        for (const address of ['127.0.0.1', '[::1]']) {
          assert.equal(find(findings, `listener ${transport}:${address}:${port}`)?.level, 'ok');
        }
        for (const family of ['ipv4', 'ipv6']) {
          assert.equal(find(findings, `allocation ${transport} ${family}`)?.level, 'ok');
        }
      }
      assert.match(find(findings, `listener metrics:127.0.0.1:${ports.metrics}`).text, /HTTP/);
      assert.match(find(findings, 'relay ipv4').text, /two allocations reach each other/);
      assert.equal(find(findings, 'certificate chain').level, 'ok');
      assert.equal(find(findings, 'dns').level, 'ok');
      assert.match(find(findings, 'outside').remedy, /turnpike nat-test localhost --secret @FILE/);
    } finally {
      await server.stop();
    }
  }));

  it('says that the server is not running, and checks the rest', explained(async () => {
    const { file, ports } = await configure();
    const { code, findings } = await doctor(file);
    assert.equal(find(findings, 'server').level, 'warning');
    assert.match(find(findings, `listener udp:127.0.0.1:${ports.stun}`).text, /free for the server/);
    assert.equal(find(findings, 'relay '), undefined);
    assert.notEqual(code, 0);
  }));

  it('finds a port that another program has, and names it', explained(async () => {
    const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const { port } = socket.address();
    const { file } = await configure({ port });
    const { code, findings } = await doctor(file);
    socket.close();
    const finding = find(findings, `listener udp:127.0.0.1:${port}`);
    assert.equal(finding.level, 'problem');
    assert.match(finding.text, new RegExp(`\\(pid ${process.pid}\\) has the port`));
    assert.equal(code, 1);
  }));

  it('finds an expired certificate, with which no server starts [L11]', explained(async () => {
    const tls = await certificate({ dates: ['-startdate', '20240101000000Z', '-enddate', '20240401000000Z'] });
    const { file } = await configure({ tls });
    const { code, findings } = await doctor(file, { env: { SSL_CERT_FILE: tls.certificate } });
    assert.equal(find(findings, 'certificate dates').level, 'problem');
    assert.match(find(findings, 'certificate dates').text, /expired \d+ days ago/);
    assert.equal(find(findings, 'certificate chain').level, 'ok');
    assert.equal(code, 1);

    const server = await run('serve', turnpike(), ['serve', '--config', file]);
    assert.equal(server.code, 78);
    assert.match(server.output, /expired on 2024-04-01 .*; renew it/);
  }));

  it('finds a certificate that is about to expire [L11]', explained(async () => {
    const tls = await certificate({ dates: ['-days', '5'] });
    const { file } = await configure({ tls });
    const { findings } = await doctor(file);
    assert.equal(find(findings, 'certificate dates').level, 'warning');
  }));

  it('finds a certificate for another name, and of nobody', explained(async () => {
    const tls = await certificate({ name: 'elsewhere.example' });
    const { file } = await configure({ tls });
    const { code, findings } = await doctor(file);
    assert.match(find(findings, 'certificate name').text, /not for localhost but for elsewhere\.example/);
    assert.equal(find(findings, 'certificate chain').level, 'problem');
    assert.equal(code, 1);
  }));

  it('finds a certificate for another name at a server that runs, whoever vouches for it', explained(async () => {
    const tls = await certificate({ name: 'elsewhere.example' });
    const { file, ports } = await configure({ tls });
    const server = await serve(file);
    try {
      const { code, findings } = await doctor(file, { env: { SSL_CERT_FILE: tls.certificate } });
      const name = find(findings, 'certificate name');
      assert.equal(name.level, 'problem');
      assert.match(name.text, /not for localhost but for elsewhere\.example/);
      assert.ok(name.remedy);
      assert.equal(find(findings, 'certificate chain').level, 'ok');
      assert.equal(find(findings, `listener udp:127.0.0.1:${ports.stun}`).level, 'ok');
      assert.equal(code, 1);
    } finally {
      await server.stop();
    }
  }));

  it('finds a key of another certificate', explained(async () => {
    const [one, other] = [await certificate(), await certificate()];
    const { file } = await configure({ tls: { certificate: one.certificate, key: other.key } });
    const { findings } = await doctor(file);
    assert.equal(find(findings, 'certificate key').level, 'problem');
  }));

  it('finds a public_ip to which the domain does not lead', explained(async () => {
    const { file } = await configure({ head: ['domain = "localhost"', 'public_ip = ["11.22.33.44"]'] });
    const { code, findings } = await doctor(file);
    assert.equal(find(findings, 'dns').level, 'problem');
    assert.match(find(findings, 'dns').text, /localhost leads to .*neither public_ip/);
    assert.match(find(findings, 'public_ip').text, /not an address of this host/);
    assert.equal(code, 1);
  }));

  it('finds a short secret', explained(async () => {
    const { file } = await configure({ secret: 'geheim' });
    const { code, output, findings } = await doctor(file);
    if (code === 78) assert.match(output, /auth\.secrets/);
    else assert.equal(find(findings, 'secret t').level, 'warning');
    assert.doesNotMatch(output, /geheim/);
  }));

  it('finds that the running server may open few files', explained(async () => {
    const { file } = await configure();
    const server = await serve(file, (...command) => ['prlimit', '--nofile=200:200', ...command]);
    try {
      const { code, findings } = await doctor(file);
      assert.equal(find(findings, 'open-files').level, 'problem');
      assert.match(find(findings, 'open-files').text, /the server may open 200 files/);
      assert.equal(code, 1);
    } finally {
      await server.stop();
    }
  }));

  it('finds that the running server was started with another secret', explained(async () => {
    const { file, ports } = await configure();
    const server = await serve(file);
    try {
      const { file: other } = await configure({ port: ports.stun, secret: `${restSecret}-changed` });
      const { code, findings } = await doctor(other);
      assert.match(find(findings, 'allocation udp ipv4').text, /refuses a credential made with this configuration/);
      assert.equal(code, 1);
    } finally {
      await server.stop();
    }
  }));

  it('exits 78 for a configuration that is refused', explained(async () => {
    const file = path.join(directory, 'broken.toml');
    writeFileSync(file, 'domian = "turn.example.com"\n');
    const { code, output } = await doctor(file);
    assert.equal(code, 78);
    assert.match(output, /domain/);
  }));

  it('says the same to people', explained(async () => {
    const { file } = await configure();
    const { output } = await run('doctor', turnpike(), ['doctor', '--config', file]);
    assert.match(output, /^warning {2}server: it is not running/m);
    assert.match(output, /^ +-> start it: /m);
  }));
});

describe('turnpike doctor beside a firewall', { timeout: 60_000, skip: labObstacle() }, () => {
  let lab;
  let server;
  before(explained(async () => {
    lab = makeLab({});
    server = await startLabServer(lab);
  }));
  after(async () => {
    await server?.discard();
    lab?.remove();
  });

  it('finds the rule that drops relay ports', explained(async () => {
    const wrap = (program, ...args) => {
      const [outer, outerArgs] = lab.server.command(program, args);
      return [outer, ...outerArgs];
    };
    const before = await doctor(server.file, { wrap });
    assert.equal(find(before.findings, 'firewall').level, 'ok');
    assert.equal(find(before.findings, 'allocation udp ipv4').level, 'ok');
    lab.server.run('nft', ['-f', '-'], {
      input: 'table ip closed { chain input { type filter hook input priority filter; udp dport 49152-65535 drop\n}\n}\n',
    });
    const { code, findings } = await doctor(server.file, { wrap });
    assert.equal(find(findings, 'firewall').level, 'problem');
    assert.match(find(findings, 'firewall').text, /ip closed input/);
    assert.equal(code, 1);
  }));
});
