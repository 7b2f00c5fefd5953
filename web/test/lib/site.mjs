// The files of web/ as the server serves them: at the same paths, with the policy of web/csp.txt.

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const policy = (await readFile(path.join(root, 'csp.txt'), 'utf8')).trim();

const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const pages = { '/': '/index.html', '/nat': '/nat/index.html', '/nat/': '/nat/index.html' };

/** Answers a request for a file; for `node:http`. */
export async function serveSite(request, response) {
  const { pathname } = new URL(request.url, 'http://site');
  const file = path.join(root, pages[pathname] ?? path.normalize(pathname));
  const type = types[path.extname(file)];
  try {
    if (!type || !file.startsWith(root)) throw new Error('not served');
    const body = await readFile(file);
    response.writeHead(200, {
      'Content-Type': type, 'Content-Security-Policy': policy, 'X-Content-Type-Options': 'nosniff', 'Referrer-Policy': 'no-referrer',
    }).end(body);
  } catch {
    response.writeHead(404).end();
  }
}
