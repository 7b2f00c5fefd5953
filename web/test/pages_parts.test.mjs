// The parts of the pages that need no browser.

import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import jsQR from 'jsqr';
import { layOut } from '../call/layout.js';
import { encodeQr } from '../call/qr.js';
import { en } from '../i18n/en.js';
import { ko } from '../i18n/ko.js';
import { conclude, judge, judgeIpv6, judgeMapping } from '../nat/judge.js';
import { parseUrl, readPasted, splitServers } from '../nat/servers.js';
import { readFragment, writeFragment } from '../assets/ui/fragment.js';
import { claimsOf } from '../assets/ui/token.js';

/** The modules that `module` imports, and those that these import; paths in URLs. */
async function importsOf(module, found = new Set()) {
  const text = await readFile(new URL(`..${module}`, import.meta.url), 'utf8');
  for (const [, target] of text.matchAll(/^(?:import|export)\s[^;]*?'(\.[^']+)';/gm)) {
    const { pathname } = new URL(target, `http://any${module}`);
    if (found.has(pathname)) continue;
    found.add(pathname);
    await importsOf(pathname, found);
  }
  return found;
}

describe('A page', () => {
  for (const [page, main] of [['index.html', '/call/main.js'], ['nat/index.html', '/nat/main.js']]) {
    it(`names all of its modules ahead, so that they come at once: ${page}`, async () => {
      const html = await readFile(new URL(`../${page}`, import.meta.url), 'utf8');
      const named = [...html.matchAll(/<link rel="modulepreload" href="([^"]+)">/g)].map(([, href]) => href);
      assert.ok(html.includes(`<script type="module" src="${main}">`));
      assert.deepEqual(named, [...await importsOf(main)].toSorted());
    });
  }
});

describe('Strings', () => {
  it('are there in both languages, with the same values to fill in', () => {
    assert.deepEqual(Object.keys(ko), Object.keys(en));
    const names = (text) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).toSorted();
    for (const key of Object.keys(en)) assert.deepEqual(names(ko[key]), names(en[key]), key);
  });

  it('are there for every key that a page names', async () => {
    const folder = new URL('../', import.meta.url);
    const listed = await Promise.all(['call', 'nat', 'assets/ui'].map(async (name) => (await readdir(new URL(name, folder))).map((file) => `${name}/${file}`)));
    const texts = await Promise.all(['index.html', ...listed.flat()].map((file) => readFile(new URL(file, folder), 'utf8')));
    const keys = texts.flatMap((text) => [...text.matchAll(/data-t(?:-label|-placeholder)?="([^"$]+)"/g)].map(([, key]) => key));
    assert.ok(keys.length > 50);
    assert.deepEqual(keys.filter((key) => !(key in en)), []);
  });
});

describe('The layout of the stage', () => {
  const stages = [{ width: 1248, height: 660 }, { width: 374, height: 714 }, { width: 876, height: 660 }];
  const overlap = (a, b) => a.x < b.x + b.width - 0.01 && b.x < a.x + a.width - 0.01 && a.y < b.y + b.height - 0.01 && b.y < a.y + a.height - 0.01;

  for (const stage of stages) {
    for (let count = 1; count <= 8; count += 1) {
      for (const spot of [-1, ...(count > 1 ? [count - 1] : [])]) {
        it(`keeps ${count} on ${stage.width}×${stage.height}${spot < 0 ? '' : ', one of them a screen,'} inside and apart`, () => {
          const tiles = layOut(stage, count, spot);
          assert.equal(tiles.length, count);
          for (const { x, y, width, height } of tiles) {
            assert.ok(width > 40 && height > 40, `${width}×${height} is too small`);
            assert.ok(x >= -0.01 && y >= -0.01 && x + width <= stage.width + 0.01 && y + height <= stage.height + 0.01);
          }
          const equal = tiles.filter(({ isOnTop }) => !isOnTop);
          for (const [index, tile] of equal.entries()) {
            assert.ok(equal.slice(index + 1).every((other) => !overlap(tile, other)));
          }
        });
      }
    }
  }
});

describe('QR codes', () => {
  const decode = (modules) => {
    const scale = 3;
    const side = (modules.length + 8) * scale;
    const pixels = new Uint8ClampedArray(side * side * 4).fill(255);
    for (let y = 0; y < side; y += 1) {
      for (let x = 0; x < side; x += 1) {
        if (modules[Math.floor(y / scale) - 4]?.[Math.floor(x / scale) - 4]) pixels.fill(0, (y * side + x) * 4, (y * side + x) * 4 + 3);
      }
    }
    return jsQR(pixels, side, side)?.data;
  };

  for (const length of [1, 14, 15, 62, 107, 180, 181, 334, 660, 1200, 2331]) {
    it(`hold a link of ${length} bytes`, () => {
      const text = 'https://turn.example.com/#room=demo&token=eyJhbGciOiJIUzI1NiJ9.'.repeat(60).slice(0, length);
      assert.equal(decode(encodeQr(text)), text);
    });
  }
  it('hold Korean', () => assert.equal(decode(encodeQr('https://턴.example/#room=회의')), 'https://턴.example/#room=회의'));
  it('have an end', () => assert.throws(() => encodeQr('x'.repeat(2332)), RangeError));
});

describe('Pasted servers', () => {
  it('are split into one test for each URL', () => {
    const { servers, bad } = splitServers([
      { urls: ['stun:a.example', 'turn:a.example?transport=tcp', 'turns:[2001:db8::1]:443?transport=tcp'], username: 'u', credential: 'p' },
      { urls: 'stun:a.example' }, { urls: 'http://a' },
    ]);
    assert.deepEqual(servers.map(({ kind, transport, address }) => [kind, transport, address]), [
      ['stun', 'udp', 'a.example:3478'], ['turn', 'tcp', 'a.example:3478'], ['turn', 'tls', '[2001:db8::1]:443'],
    ]);
    assert.deepEqual(bad, ['http://a']);
  });
  for (const url of ['', 'stun:', 'turn:a:b', 'turn:a:123456', 'turn:a?transport=sctp', 'turn://a', 'stun:a b?c']) {
    it(`"${url}" is none`, () => assert.equal(parseUrl(url), null));
  }
  it('may come as an object, a list, or within iceServers', () => {
    for (const text of ['{"urls":"stun:a"}', '[{"urls":["stun:a"]}]', '{"iceServers":[{"url":"stun:a"}]}']) {
      assert.equal(readPasted(text).servers[0].url, 'stun:a');
    }
    for (const text of ['3', 'null', '[]', '{"iceServers":3}', '[null]']) assert.ok(readPasted(text).problem, text);
  });
});

describe('The verdict', () => {
  const turn = (transport) => ({ kind: 'turn', transport });
  const stun = { kind: 'stun', transport: 'udp' };
  const found = (types, errors = [], more = {}) => ({ candidates: types.map((type) => ({ type })), errors, isComplete: true, ...more });
  const error = (code, text = '') => ({ code, text });

  for (const [what, server, answer, why, works] of [
    ['a relayed address', turn('udp'), found(['host', 'relay']), 'relay', true],
    ['an address seen by the server', stun, found(['host', 'srflx'], [error(701)]), 'srflx', true],
    ['the address that one has', stun, found(['host']), 'same', true],
    ['a wrong password beside a silent interface', turn('udp'), found(['host'], [error(701), error(401)]), '401', false],
    ['a name that does not exist', turn('tcp'), found(['host'], [error(701, 'TURN host lookup received error.')]), 'lookup', false],
    ['a closed TCP port', turn('tcp'), found(['host'], [error(701)]), '701.tcp', false],
    ['a closed TLS port', turn('tls'), found(['host'], [error(701)]), '701.tls', false],
    ['no ports left', turn('udp'), found(['host'], [error(508)]), '508', false],
    ['a code that nobody knows', turn('udp'), found(['host'], [error(499)]), 'other', false],
    ['no candidates at all', turn('udp'), found([]), 'blocked', false],
    ['silence', turn('udp'), found(['host'], [], { isComplete: false }), 'silent', false],
    ['a refusal by the browser', turn('udp'), found([], [], { refusal: 'bad' }), 'refused', false],
  ]) {
    it(`on ${what} is ${why}`, () => {
      const verdict = judge(server, answer);
      assert.deepEqual([verdict.why, verdict.works], [`nat.why.${why}`, works]);
      assert.ok(verdict.why in en);
      assert.ok(works || verdict.remedy in en);
    });
  }

  it('says that the relay is needed behind a NAT whose mapping changes', () => {
    const works = { works: true };
    const results = [{ server: turn('udp'), verdict: works }];
    assert.equal(conclude(results, { kind: 'independent' }).key, 'nat.verdict.good');
    assert.equal(conclude(results, { kind: 'dependent' }).key, 'nat.verdict.relayNeeded');
    assert.equal(conclude([{ server: turn('tls'), verdict: works }], { kind: 'noAnswer' }).key, 'nat.verdict.onlyStream');
    assert.equal(conclude([{ server: stun, verdict: works }], { kind: 'none' }).key, 'nat.verdict.onlyStun');
    assert.equal(conclude([{ server: turn('udp'), verdict: { works: false } }], { kind: 'none' }).key, 'nat.verdict.nothing');
  });

  const seen = (port, relatedPort) => ({ type: 'srflx', protocol: 'udp', address: '203.0.113.5', port, relatedAddress: '10.0.0.2', relatedPort });
  const host = { type: 'host', protocol: 'udp', address: '10.0.0.2', port: 5000 };
  for (const [kind, candidates, addresses] of [
    ['noAnswer', [host], 0],
    ['none', [host], 2],
    ['oneServer', [host, seen(7000, 5000)], 1],
    ['independent', [host, seen(7000, 5000)], 2],
    ['independent', [host, seen(7000, 5000), seen(7001, 5001)], 2],
    ['dependent', [host, seen(7000, 5000), seen(7001, 5000)], 2],
    ['dependent', [host, seen(7000, 0), seen(7001, 0)], 2],
    ['independent', [host, host, seen(7000, 0), seen(7001, 0)], 2],
  ]) {
    it(`of the mapping is ${kind} for ${candidates.length} candidates and ${addresses} servers`, () =>
      assert.equal(judgeMapping(candidates, addresses).kind, kind));
  }

  for (const [answer, address, type] of [
    ['yes', '2001:db8::1', 'host'], ['yes', '[2001:db8::1]', 'srflx'], ['local', '[fd00::2]', 'host'],
    ['local', 'fe80::1', 'host'], ['no', '10.0.0.2', 'host'], ['unknown', 'x.local', 'host'],
  ]) {
    it(`of IPv6 is ${answer} for ${type} ${address}`, () => assert.equal(judgeIpv6([{ type, address }, ...(type === 'host' ? [] : [host])]), answer));
  }
});

describe('Addresses and tokens', () => {
  it('a fragment holds room and token, whatever letters are in them', () => {
    const given = { room: '회의 & "a"', token: 'a.b-c_d' };
    assert.deepEqual(readFragment(writeFragment(given)), given);
    assert.deepEqual(readFragment(''), { room: '', token: '' });
    assert.equal(writeFragment({ room: 'demo', token: '' }), '#room=demo');
  });

  it('a token tells its claims, and what is none tells nothing', () => {
    const token = `x.${Buffer.from(JSON.stringify({ room: '회의', sub: 'mina' })).toString('base64url')}.y`;
    assert.deepEqual(claimsOf(token), { room: '회의', sub: 'mina' });
    for (const text of ['', 'a', 'a.b.c', `a.${btoa('3')}.c`, `a.${btoa('null')}.c`]) assert.equal(claimsOf(text), null, text);
  });
});
