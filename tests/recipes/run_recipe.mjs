// run_recipe.mjs FILE: runs the blocks of one document, in its order, in the world that world.sh
// has made. Ends with 0, or says which block, by file and line, did not do what it should.

import { execFile, spawn } from 'node:child_process';
import { appendFileSync, chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { blocksOf, missingLine } from './blocks.mjs';

const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const document = path.resolve(process.argv[2]);
const inRepository = path.relative(repository, document);
const text = readFileSync(document, 'utf8');

const tools = mkdtempSync(path.join(tmpdir(), 'tools-'));
const work = mkdtempSync(path.join(tmpdir(), 'recipe-'));
symlinkSync(process.env.TURNPIKE_BINARY ?? path.join(repository, 'build/release/turnpike'), path.join(tools, 'turnpike'));

const environment = {
  PATH: `${tools}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
  HOME: work,
  LANG: 'C.UTF-8',
  GOCACHE: process.env.GOCACHE ?? path.join(homedir(), '.cache/go-build'),
  TURNPIKE__LOG__FORMAT: 'text', // what a terminal shows, without its colours
  // What the world's authority has signed is good here, as Let's Encrypt's is elsewhere.
  CURL_CA_BUNDLE: '/etc/ssl/world.pem',
  SSL_CERT_FILE: '/etc/ssl/world.pem',
  NODE_EXTRA_CA_CERTS: '/etc/ssl/world.pem',
};

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function run(command, args, { env = {}, deadlineMs = 60_000, ...options } = {}) {
  try {
    const { stdout, stderr } = await promisify(execFile)(command, args, {
      cwd: work, env: { ...environment, ...env }, timeout: deadlineMs, maxBuffer: 1 << 24, ...options,
    });
    return { code: 0, stdout, stderr };
  } catch (error) {
    if (error.code === 'ENOENT') throw error;
    return { code: error.code ?? error.signal, stdout: error.stdout, stderr: error.stderr };
  }
}

async function mustRun(command, args, options) {
  const result = await run(command, args, options);
  if (result.code !== 0) throw new Error(`${command} ended with ${result.code}:\n${result.stdout}${result.stderr}`);
  return result;
}

const bash = (script, options) => mustRun('bash', ['--norc', '-euo', 'pipefail', '-c', script], options);

async function until(what, isSo, deadlineMs = 60_000) {
  const end = Date.now() + deadlineMs;
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await sleep(20);
  }
}

/// Does something listen at "8080" of 127.0.0.1, or at "203.0.113.10:443"?
const accepts = (where) =>
  new Promise((resolve) => {
    const [port, host = '127.0.0.1'] = where.split(':').reverse();
    const socket = net.connect({ host, port: Number(port) });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });

// --- The world -----------------------------------------------------------------------------------

/// What every recipe takes for granted: a certificate, as certbot leaves it, and a group's name.
async function prepare() {
  await bash(`
    getent group turnpike > /dev/null || echo 'turnpike:x:0:' >> /etc/group
    mkdir -p /etc/turnpike /etc/letsencrypt/live/turn.example.com
    cd /etc/letsencrypt/live/turn.example.com
    openssl req -x509 -nodes -days 2 -subj /CN=turn.example.com -newkey ec \\
      -pkeyopt ec_paramgen_curve:prime256v1 -keyout privkey.pem -out fullchain.pem \\
      -addext 'subjectAltName=DNS:turn.example.com,DNS:app.example.com' 2> /dev/null
    cp fullchain.pem /etc/ssl/world.pem`);
}

function write(file, body) {
  const absolute = path.resolve(work, file);
  mkdirSync(path.dirname(absolute), { recursive: true });
  writeFileSync(absolute, body);
  if (absolute.startsWith('/etc/turnpike/')) chmodSync(absolute, 0o640);
  if (body.startsWith('#!')) chmodSync(absolute, 0o755);
  return absolute;
}

let server; // {child, output}

async function stopServer() {
  if (!server || server.child.exitCode !== null) return;
  const ended = new Promise((resolve) => server.child.once('close', resolve));
  server.child.kill('SIGTERM');
  await ended;
}

function startInBackground(script) {
  const child = spawn('bash', ['--norc', '-euo', 'pipefail', '-c', script.trim().includes('\n') ? script : `exec ${script}`], {
    cwd: work, env: environment, stdio: ['ignore', 'pipe', 'pipe'],
  });
  const started = { child, output: '' };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk) => { started.output += chunk; });
  }
  return started;
}

async function serve(script) {
  await stopServer();
  server = startInBackground(script);
  await until(`turnpike serve to start; it says:\n${server.output}`, () => {
    if (server.child.exitCode !== null) throw new Error(`turnpike serve ended with ${server.child.exitCode}:\n${server.output}`);
    return / started /.test(server.output);
  });
  return server.output;
}

/// The server of public-host.md: its files, by its commands, for recipes that begin where it ends.
async function servePublicHost() {
  const publicHost = blocksOf(readFileSync(path.join(repository, 'docs/recipes/public-host.md'), 'utf8'));
  for (const { attributes, body } of publicHost.filter((block) => 'world' in block.attributes)) {
    if (attributes.file) write(attributes.file, body);
    if ('serve' in attributes) await serve(body);
    else if (!attributes.file) await bash(body);
  }
}

// --- Is a credential good? -----------------------------------------------------------------------

let uclientFixes;

async function relayWith(output, where) {
  const username = /"username"\s*:\s*"([^"]+)"/.exec(output)?.[1] ?? /TURN_USERNAME='?([^'\n]+)/.exec(output)?.[1];
  const password = /"(?:credential|password)"\s*:\s*"([^"]+)"/.exec(output)?.[1]?.replaceAll('\\/', '/')
    ?? /TURN_CREDENTIAL='?([^'\n]+)/.exec(output)?.[1];
  if (!username || !password) throw new Error(`no credential in this:\n${output}`);
  if (!uclientFixes) {
    uclientFixes = path.join(tools, 'fixes.so');
    await mustRun('cc', ['-shared', '-fPIC', '-O1', '-o', uclientFixes, path.join(repository, 'tests/e2e/lib/uclient_fixes.c')]);
  }
  const [transport, port, address = '203.0.113.10'] = where === true ? ['udp', '3478'] : where.split(':');
  const flags = { udp: [], tcp: ['-t'], tls: ['-t', '-S', '-E', '/etc/ssl/world.pem'] }[transport];
  const args = [...flags, '-v', '-y', '-c', '-n', '1', '-m', '1', '-u', username, '-w', password, '-p', port, address];
  const { stdout } = await mustRun('turnutils_uclient', args, { env: { LD_PRELOAD: uclientFixes } });
  const [sent, received] = [...stdout.matchAll(/tot_send_msgs=(\d+), tot_recv_msgs=(\d+)/g)].at(-1)?.slice(1) ?? [];
  if (!(Number(sent) > 0) || sent !== received) throw new Error(`nothing was relayed for ${username}:\n${stdout}`);
  // The two ends meet on this host; peers elsewhere reach public addresses alone.
  const relays = [...stdout.matchAll(/relay addr: ([\d.]+):/g)].map(([, relay]) => relay);
  if (relays.length === 0 || relays.some((relay) => !relay.startsWith('203.0.113.'))) {
    throw new Error(`the relayed addresses are ${relays.join(', ') || 'unknown'}:\n${stdout}`);
  }
}

// --- One block -----------------------------------------------------------------------------------

const defaultsFor = {
  TURNPIKE__AUTH__SECRET: '0123456789abcdef0123456789abcdef',
  TURNPIKE__TLS__CERTIFICATE: '/etc/letsencrypt/live/turn.example.com/fullchain.pem',
  TURNPIKE__TLS__KEY: '/etc/letsencrypt/live/turn.example.com/privkey.pem',
};

/// A whole configuration by itself; a part with a secret and a certificate from elsewhere.
async function checkToml({ attributes, body }) {
  const file = write(attributes.file ? `${attributes.file}.check` : '/etc/turnpike/part.toml', body);
  const env = attributes.file ? {} : defaultsFor;
  await mustRun('turnpike', ['config', 'check', '--config', file], { env });
  if (!('defaults' in attributes)) return;
  const empty = write('/etc/turnpike/empty.toml', '');
  const show = async (config) => (await mustRun('turnpike', ['config', 'show', '--output', 'json', '--config', config], { env: { TURNPIKE__AUTH__SECRET: defaultsFor.TURNPIKE__AUTH__SECRET } })).stdout;
  const [documented, real] = [await show(file), await show(empty)].map((json) => JSON.parse(json));
  for (const section of Object.keys(real)) {
    if (JSON.stringify(documented[section]) !== JSON.stringify(real[section])) {
      throw new Error(`[${section}] says ${JSON.stringify(documented[section])}; the default is ${JSON.stringify(real[section])}`);
    }
    const keys = typeof real[section] === 'object' && !Array.isArray(real[section]) ? Object.keys(real[section]) : [section];
    for (const key of keys) {
      if (!new RegExp(`^${key} = `, 'm').test(body)) throw new Error(`the key ${section}.${key} is missing`);
    }
  }
}

const extensionOf = { js: 'mjs', python: 'py', php: 'php', go: 'go', lua: 'lua', yaml: 'yaml', haproxy: 'cfg', nginx: 'conf' };

/// The checkers of other languages: a command for a file. Those that are not on every machine say so.
const checkers = {
  js: (file) => [process.execPath, ['--check', file]],
  python: (file) => ['/usr/bin/python3', ['-m', 'py_compile', file]],
  php: (file) => ['php', ['-l', file]],
  go: (file) => ['gofmt', ['-l', '-e', file]],
  lua: (file) => ['luac', ['-p', file]],
  yaml: (file) => ['/usr/bin/python3', ['-c', 'import sys, yaml; yaml.safe_load(open(sys.argv[1]))', file]],
  haproxy: (file) => ['haproxy', ['-c', '-f', file]],
  nginx: (file) => ['nginx', ['-t', '-q', '-c', file]],
};

async function check({ language, body, attributes }) {
  const file = write(attributes.file ?? `checked.${extensionOf[language]}`, body);
  const [command, args] = checkers[language](file);
  try {
    await mustRun(command, args);
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    console.log(`  not checked: there is no ${command} here`);
  }
}

/// Lines that must be in a file of this repository ("+" and " ") or must not ("-").
function checkAgainst({ language, attributes, body }) {
  const there = new Set(readFileSync(path.join(repository, attributes.in), 'utf8').split('\n').map((line) => line.trim()));
  for (const line of body.split('\n').filter((each) => each.trim())) {
    const isPlain = language !== 'diff';
    const isUnwanted = !isPlain && line.startsWith('-');
    const content = (isPlain ? line : line.slice(1)).trim();
    if (there.has(content) === isUnwanted) {
      throw new Error(`${attributes.in} has ${isUnwanted ? 'still' : 'no'} line "${content}"`);
    }
  }
}

/// A file of its own, or what a reader adds to the one that is there.
function placeToml({ attributes, body }) {
  if (attributes.file) write(attributes.file, body);
  if ('append' in attributes) appendFileSync('/etc/turnpike/turnpike.toml', `\n${body}`);
}

let printed = '';

async function runShell({ attributes, body }) {
  if ('long' in attributes && !process.env.RECIPES_LONG) {
    console.log(`  not run: "${body.trim()}" takes its time; script/test --long runs it`);
    return;
  }
  const missing = (attributes.needs ?? '').split(',').find((tool) => tool && !['/usr/bin', '/usr/sbin', '/bin', '/sbin'].some((at) => existsSync(path.join(at, tool))));
  if (missing) {
    console.log(`  not run: there is no ${missing} here`);
    return;
  }
  if ('serve' in attributes) {
    printed = await serve(body);
  } else if ('background' in attributes) {
    const started = startInBackground(body);
    await until(`port ${attributes.background}`, () => {
      if (started.child.exitCode !== null) throw new Error(`it ended with ${started.child.exitCode}:\n${started.output}`);
      return accepts(attributes.background);
    });
    printed = started.output;
  } else {
    const { stdout, stderr } = await bash(body);
    printed = stdout + stderr;
  }
  if ('credential' in attributes) await relayWith(printed, attributes.credential);
}

async function runBlock(block) {
  const { language, attributes, body } = block;
  if ('shows' in attributes) {
    const missing = missingLine(body, printed);
    if (missing !== undefined) throw new Error(`nothing like "${missing}" in what was printed:\n${printed}`);
  } else if ('test' in attributes) {
    if (attributes.in) checkAgainst(block);
    else if (language === 'sh') await (attributes.file ? write(attributes.file, body) && mustRun('sh', ['-n', attributes.file]) : runShell(block));
    else if (language === 'toml') placeToml(block);
    else if (language === 'json') JSON.parse(body);
    else if (language === 'html') write(attributes.file ?? 'page.html', body);
    else if (checkers[language]) await check(block);
    else throw new Error(`nobody here knows how to test ${language}`);
  }
}

const blocks = blocksOf(text);
// Configurations are checked last: the files that they name are made in the meantime.
const configurations = blocks.filter(({ language, attributes }) => language === 'toml' && 'test' in attributes);
const steps = [
  ...blocks.map((block) => [block, runBlock]),
  ...configurations.map((block) => [block, checkToml]),
];
try {
  await prepare();
  if (text.includes('<!-- world: public-host -->')) await servePublicHost();
  for (const [block, step] of steps) {
    try {
      await step(block);
    } catch (error) {
      throw new Error(`${inRepository}:${block.line}: \`\`\`${block.info}: ${error.message}`);
    }
  }
} catch (error) {
  console.error(error.message);
  if (server) console.error(`the server says:\n${server.output.slice(-2000)}`);
  process.exit(1);
}
process.exit(0); // whatever still runs ends with the world
