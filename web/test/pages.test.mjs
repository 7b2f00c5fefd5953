// The two built-in pages in a real browser: what visitors do, what they see, and what no page may do.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { after, afterEach, before, describe, it } from 'node:test';
import { createRequire } from 'node:module';
import jsQR from 'jsqr';
import { mintRestCredential, startServer, turnpike } from '../../tests/e2e/lib/server.mjs';
import { Gate } from './lib/gate.mjs';
import { Visitors } from './lib/visitors.mjs';

const axeSource = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const minutes = 60_000; // many of them: the machine may be busy

let gate;
let visitors;
const open = [];

/** Opens pages that are closed after the test. */
const visit = async (...how) => {
  const page = await visitors.open(...how);
  open.push(page);
  return page;
};
const join = async (room, name, options) => {
  const page = await visit(`/#room=${room}`, options);
  await page.fill('#name', name);
  await page.click('#join');
  await page.waitForSelector('#call:not([hidden])');
  return page;
};

const tile = (page, name) => page.locator(`.tile[data-peer="${name}"]`);
const connected = (page, name) => tile(page, name).locator('.badge:not([data-path="none"])').waitFor();
const meet = (...pages) => Promise.all(pages.flatMap(([page]) => pages
  .filter(([other]) => other !== page)
  .map(([, name]) => connected(page, name))));

before(async () => {
  gate = await Gate.start({ max: 3 });
  visitors = await Visitors.start(gate.origin);
});
after(async () => {
  await visitors?.close();
  await gate?.stop();
});
afterEach(async () => {
  gate.isOpen = true;
  await Promise.all(open.splice(0).map((page) => page.context().close()));
  const complaints = visitors.complaints.splice(0);
  assert.deepEqual(complaints, [], 'no policy was violated, nothing failed, nothing was fetched from elsewhere');
});

describe('The lobby', { timeout: 10 * minutes }, () => {
  it('shows the camera, the level of the microphone and the devices there are', async () => {
    const page = await visit('/#room=lobby');
    await page.waitForSelector('#preview.has-picture');
    await page.waitForSelector('#level i.on', { state: 'attached' });
    assert.ok(await page.locator('#camera-choice option').count() > 0);
    assert.equal(await page.inputValue('#room'), 'lobby');
  });

  it('proposes a readable name where the address has no room', async () => {
    const page = await visit('/');
    assert.match(await page.inputValue('#room'), /^[a-z]+-[a-z]+-\d{3}$/);
    const before = await page.inputValue('#room');
    await page.click('#other-room');
    assert.notEqual(await page.inputValue('#room'), before);
  });

  it('says what to do when camera and microphone are refused, and lets one join without', async () => {
    const refuse = () => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'));
    };
    const page = await visit('/#room=refused', { prepare: refuse });
    await page.getByText('Camera and microphone are blocked').waitFor();
    await page.fill('#name', 'Mina');
    await page.click('#join');
    await page.waitForSelector('#call:not([hidden])');
    assert.equal(await page.getAttribute('#mic', 'aria-pressed'), 'false');
  });

  it('takes what was switched off into the call', async () => {
    const page = await visit('/#room=muted');
    await page.waitForSelector('#preview.has-picture');
    await page.click('#lobby-mic');
    await page.fill('#name', 'Mina');
    await page.click('#join');
    await page.waitForSelector('#call:not([hidden])');
    await page.waitForSelector('#mic[aria-pressed="false"]');
    assert.equal(await page.getAttribute('#camera', 'aria-pressed'), 'true');
  });
});

describe('A call', { timeout: 20 * minutes }, () => {
  it('connects three, and each sees the way to the others and their names', async () => {
    const [mina, jun, sol] = [await join('three', 'Mina'), await join('three', 'Jun'), await join('three', 'Sol')];
    await meet([mina, 'Mina'], [jun, 'Jun'], [sol, 'Sol']);
    await mina.waitForFunction(() => [...document.querySelectorAll('.tile:not(.self) video')].every((video) => video.videoWidth > 0));
    assert.match(await tile(mina, 'Jun').locator('.path-name').textContent(), /^(Direct|Through NAT)$/);
    await tile(mina, 'Jun').locator('[data-number="rtt"]').waitFor();
    assert.equal(await mina.textContent('#room-count'), '3 people');
    await sol.click('#leave');
    await sol.getByText('You have left the call.').waitFor();
    await mina.locator('.tile').nth(2).waitFor({ state: 'detached' });
  });

  it('refuses the one too many with a sentence, and lets him in when somebody has left', async () => {
    const first = await join('full', 'Mina');
    await join('full', 'Jun');
    await join('full', 'Sol');
    const late = await visit('/#room=full');
    await late.fill('#name', 'Hana');
    await late.click('#join');
    await late.getByRole('alert').getByText('The room is full.').waitFor();
    await first.click('#leave');
    await first.waitForSelector('#over:not([hidden])');
    await late.click('#join');
    await late.waitForSelector('#call:not([hidden])');
  });

  it('carries chat, and counts what was not read', async () => {
    const [mina, jun] = [await join('chat', 'Mina'), await join('chat', 'Jun')];
    await meet([mina, 'Mina'], [jun, 'Jun']);
    await jun.click('#chat');
    await jun.fill('#chat-text', '<b>안녕</b> & hello');
    await jun.press('#chat-text', 'Enter');
    await mina.waitForSelector('#unread:not([hidden])');
    assert.equal(await mina.getAttribute('#chat', 'aria-label'), 'Chat and files, 1 unread');
    await mina.click('#chat');
    assert.equal(await mina.locator('.message-text').textContent(), '<b>안녕</b> & hello');
    assert.ok(await mina.isHidden('#unread'));
    await mina.keyboard.press('Escape');
    assert.ok(await mina.isHidden('#panel'));
    assert.equal(await mina.evaluate(() => document.activeElement.id), 'chat');
  });

  it('shows the others what is muted and what is off', async () => {
    const [mina, jun] = [await join('media', 'Mina'), await join('media', 'Jun')];
    await meet([mina, 'Mina'], [jun, 'Jun']);
    await jun.click('#mic');
    await jun.click('#camera');
    await mina.waitForSelector('.tile[data-peer="Jun"].is-muted:not(.has-picture)');
    assert.match(await tile(mina, 'Jun').textContent(), /muted/);
    await jun.click('#mic');
    await mina.waitForSelector('.tile[data-peer="Jun"]:not(.is-muted)');
  });

  it('sends a file that was dropped on it, with progress, once it is accepted', async () => {
    const [mina, jun] = [await join('files', 'Mina'), await join('files', 'Jun')];
    await meet([mina, 'Mina'], [jun, 'Jun']);
    const dropped = await jun.evaluateHandle(() => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array(3_000_000).fill(7)], 'plan.pdf', { type: 'application/pdf' }));
      return transfer;
    });
    await jun.dispatchEvent('#grid', 'dragenter', { dataTransfer: dropped });
    await jun.waitForSelector('#drop:not([hidden])');
    await jun.dispatchEvent('#grid', 'drop', { dataTransfer: dropped });
    assert.ok(await jun.isHidden('#drop'));
    await jun.getByText('Waiting for an answer').waitFor();

    await mina.getByText('Jun wants to send you plan.pdf.').waitFor();
    await mina.evaluate(() => {
      window.seen = [];
      new MutationObserver(() => window.seen.push(document.querySelector('.transfer progress')?.value))
        .observe(document.querySelector('#chat-log'), { subtree: true, childList: true, attributes: true });
    });
    await mina.click('.toast .button');
    await mina.getByRole('button', { name: 'Accept' }).click();
    const arrived = mina.waitForEvent('download');
    await mina.getByRole('link', { name: 'Save' }).click();
    const download = await arrived;
    assert.equal(download.suggestedFilename(), 'plan.pdf');
    assert.equal((await readFile(await download.path())).length, 3_000_000);
    await jun.getByText('Delivered').waitFor();
    const between = await mina.evaluate(() => window.seen.filter((value) => value > 0 && value < 1).length);
    assert.ok(between > 0, 'the bar was seen between empty and full');
  });

  it('tells the sender that a file was declined', async () => {
    const [mina, jun] = [await join('declined', 'Mina'), await join('declined', 'Jun')];
    await meet([mina, 'Mina'], [jun, 'Jun']);
    await jun.click('#chat');
    await jun.setInputFiles('#file-input', { name: 'a.txt', mimeType: 'text/plain', buffer: Buffer.from('a') });
    await mina.click('.toast .button');
    await mina.getByRole('button', { name: 'Decline' }).click();
    await jun.locator('.transfer-state').getByText('Declined').waitFor();
  });

  it('shows a shared screen large, and the camera again after it', async () => {
    const [mina, jun] = [await join('screen', 'Mina'), await join('screen', 'Jun', { prepare: fakeScreen })];
    await meet([mina, 'Mina'], [jun, 'Jun']);
    await jun.click('#screen');
    await jun.waitForSelector('#screen[aria-pressed="true"]');
    await mina.waitForSelector('.tile[data-peer="Jun"].is-screen');
    await jun.click('#screen');
    await mina.waitForSelector('.tile[data-peer="Jun"]:not(.is-screen)');
  });

  it('goes on without the server, and says so until that is back', async () => {
    const [mina, jun] = [await join('away', 'Mina', { expectsErrors: true }), await join('away', 'Jun')];
    await meet([mina, 'Mina'], [jun, 'Jun']);
    gate.isOpen = false;
    gate.rooms.cut('Mina');
    await mina.waitForSelector('#banner:not([hidden])');
    assert.match(await mina.textContent('#banner'), /The call goes on/);
    const away = tile(jun, 'Mina').getByText('Lost the connection to the server');
    await away.waitFor();
    await mina.waitForFunction(() => {
      const { currentTime } = document.querySelector('.tile:not(.self) video');
      window.firstSeen ??= currentTime;
      return currentTime > window.firstSeen;
    });
    gate.isOpen = true;
    await mina.locator('#banner').waitFor({ state: 'hidden' });
    await away.waitFor({ state: 'hidden' });
  });

  it('lets its owner lock the room, put somebody out, and end it for all', async () => {
    const [mina, jun] = [await join('owned', 'Mina'), await join('owned', 'Jun')];
    await meet([mina, 'Mina'], [jun, 'Jun']);
    await jun.click('#settings');
    assert.ok(await jun.isHidden('#owner'));
    await mina.click('#settings');
    await mina.check('#lock');
    await mina.waitForSelector('#room-lock:not([hidden])');
    const late = await visit('/#room=owned');
    await late.fill('#name', 'Hana');
    await late.click('#join');
    await late.getByRole('alert').getByText('The room is locked.').waitFor();

    await mina.click('#open-people');
    await mina.getByRole('button', { name: 'Put Jun out of the room' }).click();
    await jun.getByRole('heading', { name: 'You were put out of the room.' }).waitFor();
    await mina.click('#settings');
    await mina.click('#end');
    await mina.getByRole('button', { name: 'End it' }).click();
    await mina.getByRole('heading', { name: 'The call was ended for everyone.' }).waitFor();
  });
});

/** Chromium has no screen to capture without a display. */
function fakeScreen() {
  navigator.mediaDevices.getDisplayMedia = async () => {
    const canvas = document.createElement('canvas');
    canvas.width = 640;
    canvas.height = 360;
    const context = canvas.getContext('2d');
    setInterval(() => context.fillRect(Math.random() * 600, Math.random() * 300, 40, 40), 100);
    return canvas.captureStream(10);
  };
}

describe('The invite link', { timeout: 10 * minutes }, () => {
  it('opens the same room with the same token, and the QR code holds it', async () => {
    const page = await visit('/#room=guarded-a&token=good');
    await page.fill('#name', 'Mina');
    await page.click('#join');
    await page.waitForSelector('#call:not([hidden])');
    await page.click('#alone-invite');
    const link = await page.inputValue('#invite-link');
    assert.equal(link, `${gate.origin}/#room=guarded-a&token=good`);

    await page.click('#copy-link');
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), link);
    assert.equal(await readQr(page), link);

    await page.keyboard.press('Escape');
    assert.ok(await page.isHidden('#invite-dialog'));
    const other = await visit(link.slice(gate.origin.length));
    await other.fill('#name', 'Jun');
    await other.click('#join');
    await connected(other, 'Mina');
  });

  it('keeps the token from the server’s logs: it is in no address that is asked for', async () => {
    const page = await visit('/#room=guarded-b&token=good');
    await page.fill('#name', 'Mina');
    await page.click('#join');
    await page.waitForSelector('#call:not([hidden])');
    assert.ok(gate.requested.includes('/v1/ws'));
    assert.deepEqual(gate.requested.filter((url) => /guarded|good/.test(url)), []);
  });
});

/** What a phone's camera would read from the screen. */
async function readQr(page) {
  const { side, dark } = await page.evaluate(() => {
    const picture = document.querySelector('#qr svg');
    const side = picture.viewBox.baseVal.width * 4;
    const context = new OffscreenCanvas(side, side).getContext('2d');
    context.scale(4, 4);
    context.fill(new Path2D(picture.querySelector('path').getAttribute('d')));
    const { data } = context.getImageData(0, 0, side, side);
    return { side, dark: data.reduce((text, value, index) => (index % 4 === 3 ? text + (value > 127 ? '1' : '0') : text), '') };
  });
  const pixels = Uint8ClampedArray.from([...dark].flatMap((bit) => (bit === '1' ? [0, 0, 0, 255] : [255, 255, 255, 255])));
  return jsQR(pixels, side, side)?.data;
}

describe('Who cannot join', { timeout: 10 * minutes }, () => {
  for (const [what, fragment, sentence, remedy] of [
    ['without a token where one is wanted', 'room=guarded-c', 'This server wants a token.', 'turnpike room token'],
    ['with a wrong token', 'room=guarded-c&token=bad', 'The server does not accept this token.', 'ask for a new one'],
    ['with an old token', 'room=guarded-c&token=old', 'This token has expired.', 'Ask for a new link'],
  ]) {
    it(`is told why and what to do ${what}`, async () => {
      const page = await visit(`/#${fragment}`);
      await page.fill('#name', 'Mina');
      await page.click('#join');
      const alert = page.getByRole('alert').filter({ hasText: sentence });
      await alert.waitFor();
      assert.match(await alert.textContent(), new RegExp(remedy));
      assert.ok(await page.isEnabled('#join'));
    });
  }

  it('is told when the server cannot be reached', async () => {
    const page = await visit('/#room=gone', { expectsErrors: true });
    await page.fill('#name', 'Mina');
    gate.isOpen = false;
    await page.click('#join');
    await page.getByRole('alert').getByText('The server cannot be reached.').waitFor();
  });
});

describe('Language and theme', { timeout: 10 * minutes }, () => {
  it('follow the browser, can be switched, and are remembered', async () => {
    const page = await visit('/#room=words', { locale: 'ko-KR', colorScheme: 'dark' });
    await page.getByRole('heading', { name: '준비되면 시작하세요' }).waitFor();
    const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await paper();
    await page.selectOption('#language', 'en');
    await page.getByRole('heading', { name: 'Ready when you are' }).waitFor();
    await page.click('#theme');
    assert.notEqual(await paper(), dark);
    const turned = await page.evaluate(() => {
      document.querySelector('#theme').click();
      return getComputedStyle(document.body).backgroundColor;
    });
    assert.equal(turned, dark, 'at once: where motion is to be reduced, no colour fades');
    await page.click('#theme');
    await page.goto(`${gate.origin}/nat`);
    await page.getByRole('heading', { name: 'Connection test' }).waitFor();
    assert.equal(await page.getAttribute('html', 'lang'), 'en');
    assert.notEqual(await paper(), dark);
  });

  it('change what is already on the screen', async () => {
    const page = await join('words2', 'Mina');
    await page.click('#chat');
    await page.selectOption('#language', 'ko');
    assert.equal(await page.textContent('#panel-title'), '채팅과 파일');
    assert.equal(await page.textContent('.tile.self .tile-name'), 'Mina (나)');
    assert.equal(await page.getAttribute('#leave', 'aria-label'), '통화 나가기');
  });
});

describe('The connection test', { timeout: 10 * minutes }, () => {
  it('says what is wrong with pasted servers', async () => {
    const page = await visit('/nat');
    await page.click('.own summary');
    for (const [text, sentence] of [
      ['{', /not JSON/],
      ['[1]', /array of objects/],
      ['[{"urls":"http://a"}]', /“http:\/\/a” is not a stun/],
    ]) {
      await page.fill('#own', text);
      await page.click('#own-form button');
      assert.match(await page.textContent('#own-problem'), sentence);
    }
  });

  it('says why a server cannot be reached, and what to do', async () => {
    const page = await visit('/nat');
    await page.click('.own summary');
    await page.fill('#own', JSON.stringify({ iceServers: [{ urls: 'turn:127.0.0.1:49151?transport=tcp', username: 'u', credential: 'p' }] }));
    await page.click('#own-form button');
    await page.waitForSelector('#report-section:not([hidden])');
    assert.match(await page.textContent('.lane'), /Unreachable over TCP \(701\).*firewall blocks the port/);
    assert.match(await page.textContent('#verdict-text'), /No server can be reached/);
    await page.click('#copy-report');
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    assert.match(await page.evaluate(() => navigator.clipboard.readText()), /turn:127\.0\.0\.1:49151/);
  });

  it('says when the server names none', async () => {
    const page = await visit('/nat');
    await page.click('#start');
    await page.locator('#verdict-text').getByText('The server named no STUN or TURN servers').waitFor();
  });
});

describe('With a relay', { timeout: 10 * minutes, skip: !existsSync(turnpike()) && 'turnpike is not built' }, () => {
  let turn;
  let relayed;
  let iceServers;
  before(async () => {
    turn = await startServer();
    const urls = [turn.uri('127.0.0.1', 'udp'), turn.uri('127.0.0.1', 'tcp')];
    iceServers = [{ urls: [`stun:127.0.0.1:${turn.port}`] }, { urls, ...mintRestCredential('pages') }];
    relayed = await Gate.start({ iceServers });
  });
  after(async () => {
    await relayed?.stop();
    await turn?.discard();
  });

  it('a call moves to the relay when that is demanded, and back', async () => {
    const { origin } = relayed;
    const [mina, jun] = [await join('relay', 'Mina', { origin }), await join('relay', 'Jun', { origin })];
    await meet([mina, 'Mina'], [jun, 'Jun']);
    assert.notEqual(await tile(mina, 'Jun').locator('.badge').getAttribute('data-path'), 'relay');
    await mina.click('#settings');
    await mina.check('#call-relay');
    await tile(mina, 'Jun').getByText('Relayed (UDP)').waitFor();
    await tile(jun, 'Mina').getByText('Relayed').waitFor();
    await mina.uncheck('#call-relay');
    await tile(mina, 'Jun').locator('.badge:is([data-path="direct"], [data-path="nat"])').waitFor();
  });

  it('a call begins at the relay when the lobby says so', async () => {
    const { origin } = relayed;
    const jun = await join('relay2', 'Jun', { origin });
    const mina = await visit('/#room=relay2', { origin });
    await mina.fill('#name', 'Mina');
    await mina.check('#lobby-relay');
    await mina.click('#join');
    await tile(mina, 'Jun').getByText('Relayed (UDP)').waitFor();
    await connected(jun, 'Mina');
  });

  it('the connection test measures a call over each transport', async () => {
    const page = await visit('/nat', { origin: relayed.origin });
    await page.click('#start');
    await page.waitForSelector('#report-section:not([hidden])');
    assert.match(await page.textContent('#verdict-text'), /^Calls work from here: directly/);
    assert.deepEqual(await page.locator('.lane').evaluateAll((lanes) => lanes.map(({ dataset }) => dataset.tone)), ['good', 'good', 'good']);
    const numbers = await page.locator('.number').allTextContents();
    assert.equal(numbers.length, 4);
    assert.match(numbers.join(' '), /^([\d,]+ kbit\/s [\d.,]+ ms round trip ?){2}$/);
    assert.doesNotMatch(await page.textContent('#report'), new RegExp(iceServers[1].credential.replace(/\W/g, '.')));
  });

  it('the connection test tells a wrong password from a silent server', async () => {
    const page = await visit('/nat', { origin: relayed.origin });
    await page.click('.own summary');
    await page.fill('#own', JSON.stringify({ urls: turn.uri('127.0.0.1', 'udp'), username: 'nobody', credential: 'wrong' }));
    await page.click('#own-form button');
    await page.waitForSelector('#report-section:not([hidden])');
    assert.match(await page.textContent('.lane'), /Bad credential \(401\)/);
    assert.match(await page.textContent('#verdict-text'), /No server can be reached|no relay can be used/);
  });
});

describe('Accessibility', { timeout: 20 * minutes }, () => {
  const audit = async (page, where) => {
    // Through the debugger, which the page's policy does not bind.
    await page.evaluate(axeSource);
    const { violations } = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
    const serious = violations
      .filter(({ impact }) => ['serious', 'critical', 'moderate'].includes(impact))
      .map(({ id, nodes }) => `${where}: ${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
    assert.deepEqual(serious, []);
  };

  for (const locale of ['en-US', 'ko-KR']) {
    for (const colorScheme of ['light', 'dark']) {
      it(`has no fault that axe knows, ${locale}, ${colorScheme}`, async () => {
        const look = { locale, colorScheme };
        const nat = await visit('/nat', look);
        await audit(nat, 'nat');
        await nat.click('.own summary');
        await nat.fill('#own', '[{"urls":"turn:127.0.0.1:49151?transport=tcp","username":"u","credential":"p"}]');
        await nat.click('#own-form button');
        await nat.waitForSelector('#report-section:not([hidden])');
        await nat.click('.lane summary');
        await audit(nat, 'nat results');

        const page = await visit('/#room=axe', look);
        await page.waitForSelector('#preview.has-picture');
        await audit(page, 'lobby');
        await page.fill('#name', 'Mina');
        await page.click('#join');
        await page.waitForSelector('#call:not([hidden])');
        await page.click('#chat');
        await page.fill('#chat-text', 'hello');
        await page.press('#chat-text', 'Enter');
        await audit(page, 'chat');
        await page.click('#open-people');
        await audit(page, 'people');
        await page.click('#settings');
        await audit(page, 'settings');
        await page.click('#invite');
        await audit(page, 'invite');
        await page.keyboard.press('Escape');
        await page.click('#leave');
        await page.waitForSelector('#over:not([hidden])');
        await audit(page, 'over');
      });
    }
  }

  it('lets one join with the keyboard alone', async () => {
    const page = await visit('/#room=keys');
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
    await page.keyboard.press('Enter');
    await page.focus('#name');
    await page.keyboard.type('Mina');
    await page.keyboard.press('Enter');
    await page.waitForSelector('#call:not([hidden])');
    await page.focus('#settings');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'panel-title');
    await page.keyboard.press('Escape');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'settings');
  });
});
