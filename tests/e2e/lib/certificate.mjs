// A self-signed certificate for the names of this machine, made once for each test file.

import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { run } from './process.mjs';

const p256 = ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];

/// Makes a certificate and its key in `directory` (openssl gives the key mode 0600). `newKey`: the
/// kind of key, as arguments of -newkey.
export async function makeCertificate(directory, newKey = p256) {
  const files = { certificate: path.join(directory, 'certificate.pem'), key: path.join(directory, 'key.pem') };
  const { code } = await run('openssl', 'openssl', [
    ...['req', '-x509', '-nodes', '-days', '2', '-subj', '/CN=localhost'],
    ...['-newkey', ...newKey],
    ...['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1'],
    ...['-keyout', files.key, '-out', files.certificate],
  ]);
  assert.equal(code, 0);
  const pem = await readFile(files.certificate);
  const publicKey = new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' });
  return {
    ...files,

    /// For clients that trust nothing else.
    pem,

    /// Chromium's name for the key: the base64 of SHA-256 over the SubjectPublicKeyInfo.
    spkiHash: createHash('sha256').update(publicKey).digest('base64'),
  };
}

let made;

async function make() {
  const directory = await mkdtemp(path.join(tmpdir(), 'turnpike-e2e-tls-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  return makeCertificate(directory);
}

/// The certificate of every server that this test file starts with `tls: true`.
export const localCertificate = () => (made ??= make());
