// Readable names for rooms that nobody has named: "calm-otter-731".

const first = ['amber', 'brave', 'calm', 'clear', 'coral', 'early', 'gentle', 'golden', 'green', 'happy',
  'kind', 'lucky', 'merry', 'misty', 'noble', 'quick', 'quiet', 'rapid', 'silver', 'sunny', 'swift', 'warm'];
const second = ['badger', 'cedar', 'comet', 'crane', 'falcon', 'fern', 'harbor', 'heron', 'juniper', 'lark',
  'maple', 'meadow', 'otter', 'pine', 'poppy', 'raven', 'river', 'sparrow', 'summit', 'tiger', 'willow', 'wren'];

const below = (limit) => crypto.getRandomValues(new Uint32Array(1))[0] % limit;

export const randomRoomName = () =>
  `${first[below(first.length)]}-${second[below(second.length)]}-${100 + below(900)}`;

/** For a room that nobody shall find: 128 random bits. */
export const privateRoomName = (prefix) =>
  `${prefix}-${Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
