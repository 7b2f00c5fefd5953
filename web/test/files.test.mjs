// Files: whole, refused, cancelled, broken off and taken up again, damaged.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { next, record, until } from './lib/events.mjs';
import { peerOf, World } from './lib/world.mjs';

const blockBytes = 1024 * 1024;
const chunkBytes = 16 * 1024;

let world;
beforeEach(async () => {
  world = await World.begin();
});
afterEach(() => world.end());

const fileOf = (bytes, name = 'notes.txt') => new File([bytes], name, { type: 'text/plain' });
const bytesOf = async (file) => Buffer.from(await file.arrayBuffer());

/** The digest that the format asks for: the SHA-256 of the SHA-256s of the blocks. */
function digestOf(bytes) {
  const whole = createHash('sha256');
  for (let at = 0; at < bytes.length; at += blockBytes) {
    whole.update(createHash('sha256').update(bytes.subarray(at, at + blockBytes)).digest());
  }
  return whole.digest('hex');
}

/** Sends a file from `late` to `early`, who accepts; both transfers. */
async function begin({ early, late }, file, options) {
  const offered = next(early.call.files, 'offer');
  const outgoing = late.call.files.send(peerOf(late), file, options);
  const incoming = (await offered).accept(options?.receiver);
  outgoing.done.catch(() => {});
  incoming.done.catch(() => {});
  return { outgoing, incoming };
}

/** Makes both sides begin a new connection: one believes that the other has. */
async function breakConnection({ early, late }) {
  const before = early.connections.length;
  await late.room.signal(peerOf(late), { description: { type: 'answer', sdp: '{}' }, pc: 'another' });
  await until('a new connection', () => early.connections.length > before);
  await until('open channels', () => [early, late].every(({ filesChannel }) => filesChannel.readyState === 'open'));
}

describe('A file', () => {
  for (const [what, size] of [
    ['of no bytes', 0], ['of one byte', 1], ['of exactly one chunk', chunkBytes], ['of exactly one block', blockBytes],
    ['of two blocks and a bit', 2 * blockBytes + 777],
  ]) {
    it(`${what} arrives as it was sent`, async () => {
      const sides = await world.pair();
      const bytes = randomBytes(size);
      const { outgoing, incoming } = await begin(sides, fileOf(bytes));
      const file = await incoming.done;
      await outgoing.done;
      assert.deepEqual(await bytesOf(file), bytes);
      assert.deepEqual([file.name, file.size, file.type], ['notes.txt', size, 'text/plain']);
      assert.deepEqual([outgoing.state, incoming.state], ['done', 'done']);
    });
  }

  it('is offered with all that one wants to know before', async () => {
    const { early, late } = await world.pair();
    const offered = next(early.call.files, 'offer');
    const outgoing = late.call.files.send(peerOf(late), new Blob(['abc']), { name: '../a/b\u0000.txt' });
    const offer = await offered;
    assert.equal(outgoing.state, 'offered');
    assert.deepEqual([offer.name, offer.size, offer.type, offer.peer], ['.._a_b_.txt', 3, '', peerOf(early)]);
    assert.equal(offer.id, outgoing.id);
  });

  it('tells both how far it is, chunk by chunk', async () => {
    const sides = await world.pair();
    const seen = { out: [], in: [] };
    const { outgoing, incoming } = await begin(sides, fileOf(randomBytes(3 * chunkBytes + 5)), {
      onProgress: ({ done }) => seen.out.push(done),
      receiver: { onProgress: ({ done, total }) => seen.in.push([done, total]) },
    });
    await outgoing.done;
    const total = 3 * chunkBytes + 5;
    assert.deepEqual(seen.out, [chunkBytes, 2 * chunkBytes, 3 * chunkBytes, total]);
    assert.deepEqual(seen.in.map(([done]) => done), seen.out);
    assert.deepEqual(incoming.progress, { done: total, total });
  });

  it('does not pile up in the browser when the way is slow', async () => {
    const sides = await world.pair();
    const channel = sides.late.filesChannel;
    const { outgoing, incoming } = await begin(sides, fileOf(randomBytes(4 * blockBytes)));
    channel.isSlow = true;
    const isFull = () => channel.bufferedAmount > blockBytes;
    let mostBuffered = 0;
    while (outgoing.progress.done < outgoing.size) {
      await until('a full buffer', () => isFull() || outgoing.progress.done === outgoing.size);
      mostBuffered = Math.max(mostBuffered, channel.bufferedAmount);
      channel.deliver(60);
    }
    assert.ok(mostBuffered <= blockBytes + chunkBytes + 100, `${mostBuffered} bytes at most`);
    channel.isSlow = false;
    await until('all sent', () => {
      channel.deliver(10);
      return incoming.state === 'done';
    });
    await outgoing.done;
  });

  it('may be on its way with others, in both directions', async () => {
    const sides = await world.pair();
    const files = [randomBytes(blockBytes + 1), randomBytes(2 * blockBytes), randomBytes(10)];
    sides.late.call.files.on('offer', (offer) => {
      offer.accept();
    });
    const back = sides.early.call.files.send(peerOf(sides.early), fileOf(files[0]));
    const transfers = [];
    for (const bytes of files) transfers.push(await begin(sides, fileOf(bytes)));
    const arrived = await Promise.all(transfers.map(({ incoming }) => incoming.done));
    for (const [index, file] of arrived.entries()) assert.deepEqual(await bytesOf(file), files[index]);
    await back.done;
  });

  it('is offered as soon as there is a connection', async () => {
    const early = await world.enter('early');
    const offered = next(early.call.files, 'offer');
    const late = await world.enter('late');
    const outgoing = late.call.files.send(peerOf(late), fileOf('soon'));
    assert.equal(await (await (await offered).accept().done).text(), 'soon');
    await outgoing.done;
  });

  it('needs somebody to go to', async () => {
    const { early } = await world.pair();
    assert.throws(() => early.call.files.send('p_none', fileOf('x')), { code: 'no_such_peer' });
  });
});

describe('A file that is not wanted', () => {
  it('is declined', async () => {
    const { early, late } = await world.pair();
    early.call.files.on('offer', (offer) => offer.decline());
    await assert.rejects(late.call.files.send(peerOf(late), fileOf('x')).done, { code: 'declined' });
  });

  it('is withdrawn before anybody answered', async () => {
    const { early, late } = await world.pair();
    const offered = next(early.call.files, 'offer');
    const withdrawn = next(early.call.files, 'withdrawn');
    const outgoing = late.call.files.send(peerOf(late), fileOf('x'));
    const offer = await offered;
    outgoing.cancel();
    assert.equal((await withdrawn).id, offer.id);
    await assert.rejects(outgoing.done, { code: 'cancelled' });
    await assert.rejects(offer.accept().done, { code: 'cancelled' });
  });

  for (const who of ['outgoing', 'incoming']) {
    it(`is cancelled on its way from the ${who} side, for both`, async () => {
      const sides = await world.pair();
      let transfers;
      const halfway = new Promise((resolve) => {
        const receiver = { onProgress: ({ done }) => done > 2 * blockBytes && resolve() };
        transfers = begin(sides, fileOf(randomBytes(8 * blockBytes)), { receiver });
      });
      const { outgoing, incoming } = await transfers;
      await halfway;
      (who === 'outgoing' ? outgoing : incoming).cancel();
      await assert.rejects(outgoing.done, { code: 'cancelled' });
      await assert.rejects(incoming.done, { code: 'cancelled' });
      assert.ok(outgoing.progress.done < 8 * blockBytes);
    });
  }

  it('ends when the other one leaves', async () => {
    const sides = await world.pair();
    const events = record(sides.early.call.files, 'withdrawn');
    const { incoming } = await begin(sides, fileOf(randomBytes(8 * blockBytes)));
    sides.late.call.files.send(peerOf(sides.late), fileOf('unanswered'));
    await next(sides.early.call.files, 'offer');
    await sides.late.room.leave();
    await assert.rejects(incoming.done, { code: 'no_such_peer' });
    assert.equal(events.length, 1);
  });

  it('is one too many of a peer that floods us', async () => {
    const { early, late } = await world.pair();
    const offers = record(early.call.files, 'offer');
    const transfers = Array.from({ length: 101 }, (_, i) => late.call.files.send(peerOf(late), fileOf(String(i))));
    await assert.rejects(transfers[100].done, { code: 'declined' });
    assert.equal(offers.length, 100);
  });
});

describe('A file whose connection breaks', () => {
  it('goes on where it was, over the next one', async () => {
    const sides = await world.pair();
    const bytes = randomBytes(8 * blockBytes + 99);
    let reached;
    const halfway = new Promise((resolve) => {
      reached = resolve;
    });
    const steps = [];
    const receiver = {
      onProgress: ({ done }) => {
        steps.push(done);
        if (done > 3 * blockBytes + chunkBytes) reached();
      },
    };
    const { outgoing, incoming } = await begin(sides, fileOf(bytes), { receiver });
    await halfway;
    await breakConnection(sides);
    assert.deepEqual(await bytesOf(await incoming.done), bytes);
    await outgoing.done;
    assert.deepEqual(steps, Array.from({ length: Math.ceil(bytes.length / chunkBytes) },
      (_, i) => Math.min((i + 1) * chunkBytes, bytes.length)), 'no byte was sent for nothing');
  });

  it('goes on although the browser noticed the break only when it was to send', async () => {
    const sides = await world.pair();
    const channel = sides.late.filesChannel;
    const send = channel.send.bind(channel);
    let chunks = 0;
    channel.send = (data) => {
      if (typeof data !== 'string' && (chunks += 1) === 3) {
        channel.close();
        throw new Error('closing');
      }
      send(data);
    };
    const { outgoing, incoming } = await begin(sides, fileOf(randomBytes(5 * chunkBytes)));
    await until('a pause', () => outgoing.state === 'paused' && incoming.state === 'paused');
    await breakConnection(sides);
    await outgoing.done;
  });

  it('is withdrawn when there is a way to say so', async () => {
    const sides = await world.pair();
    const { outgoing, incoming } = await begin(sides, fileOf(randomBytes(8 * blockBytes)));
    await until('a beginning', () => outgoing.state === 'active');
    sides.late.filesChannel.close();
    await until('a pause', () => outgoing.state === 'paused');
    outgoing.cancel();
    await breakConnection(sides);
    await assert.rejects(incoming.done, { code: 'cancelled' });
  });

  it('is known to be done although the last word was lost', async () => {
    const sides = await world.pair();
    const { outgoing, incoming } = await begin(sides, fileOf('short'));
    sides.early.filesChannel.send = () => {}; // its "done" is lost
    await incoming.done;
    assert.equal(outgoing.state, 'active');
    await breakConnection(sides);
    await outgoing.done;
  });
});

describe('A file that is not what it should be', () => {
  /** Changes what `late` sends over its channel. */
  function tamper({ late }, change) {
    const channel = late.filesChannel;
    const send = channel.send.bind(channel);
    channel.send = (data) => change(data, send);
  }

  const isEnd = (data) => typeof data === 'string' && JSON.parse(data).type === 'end';

  it('is refused, and both know', async () => {
    const sides = await world.pair();
    tamper(sides, (data, send) => {
      if (typeof data !== 'string') data[100] ^= 1;
      send(data);
    });
    const { outgoing, incoming } = await begin(sides, fileOf(randomBytes(5000)));
    await assert.rejects(incoming.done, { code: 'checksum_mismatch' });
    await assert.rejects(outgoing.done, { code: 'checksum_mismatch' });
  });

  it('is refused when a part is missing', async () => {
    const sides = await world.pair();
    let chunks = 0;
    tamper(sides, (data, send) => {
      if (typeof data !== 'string' && (chunks += 1) === 2) return;
      send(data);
    });
    const { incoming } = await begin(sides, fileOf(randomBytes(5 * chunkBytes)));
    await assert.rejects(incoming.done, { code: 'checksum_mismatch' });
  });

  it('is refused as soon as it is longer than was said', async () => {
    const sides = await world.pair();
    tamper(sides, (data, send) => {
      send(data);
      if (typeof data !== 'string') send(data);
    });
    const { incoming } = await begin(sides, fileOf(randomBytes(3 * chunkBytes)));
    await assert.rejects(incoming.done, { code: 'checksum_mismatch' });
  });

  it('has the digest that the format asks for', async () => {
    const sides = await world.pair();
    const bytes = randomBytes(2 * blockBytes + 5);
    let said;
    tamper(sides, (data, send) => {
      if (isEnd(data)) said = JSON.parse(data).sha256;
      send(data);
    });
    const { outgoing } = await begin(sides, fileOf(bytes));
    await outgoing.done;
    assert.equal(said, digestOf(bytes));
  });

  it('cannot be read: the receiver is told', async () => {
    const sides = await world.pair();
    const file = fileOf('gone');
    file.slice = () => ({ arrayBuffer: () => Promise.reject(new Error('the file has changed')) });
    const { outgoing, incoming } = await begin(sides, file);
    await assert.rejects(outgoing.done, (error) => error.code === 'cancelled' && /has changed/.test(error.message));
    await assert.rejects(incoming.done, { code: 'cancelled' });
  });

  it('is not accepted in the name of the receiver', async () => {
    const { early, late } = await world.pair();
    const events = record(early.call.files, 'offer');
    late.filesChannel.send(JSON.stringify({ type: 'offer', id: 5, name: 'x', size: 0 }));
    late.filesChannel.send(JSON.stringify({ type: 'end', id: 5, sha256: digestOf(Buffer.alloc(0)) }));
    await until('the offer', () => events.length === 1);
    const { accept } = events[0][1];
    assert.equal(accept().state, 'active');
  });

  it('is no reason to stumble: nonsense on the channel is passed over', async () => {
    const sides = await world.pair();
    for (const nonsense of ['', 'null', '[]', '{"id":1}', '{"type":"offer","id":2}', '{"type":"offer","id":3,"name":"x","size":-1}', '{"type":"end","id":9}']) {
      sides.late.filesChannel.send(nonsense);
    }
    for (const bytes of [[], [1], [1, 2, 3, 4], [1, 2, 3, 4, 5]]) sides.late.filesChannel.send(new Uint8Array(bytes));
    const { incoming } = await begin(sides, fileOf('fine'));
    assert.equal(await (await incoming.done).text(), 'fine');
  });
});
