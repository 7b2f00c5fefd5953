// QR codes for texts: byte mode, error correction M, the smallest version that holds them
// (ISO/IEC 18004:2015). Kanji, structured append and the rest are not here.

import { checkBytes } from './reed_solomon.js';

// Table 9, level M, versions 1 to 40: check bytes of a block; blocks.
const checkBytesOfBlock = [10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26,
  26, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28];
const blocksOf = [1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16,
  17, 17, 18, 20, 21, 23, 25, 26, 28, 29, 31, 33, 35, 37, 38, 40, 43, 45, 47, 49];

const levelM = 0b00;
const byteMode = 0b0100;
const padding = [0xec, 0x11];

const sideOf = (version) => version * 4 + 17;

/** Annex E: rows and columns of the alignment patterns. */
function alignments(version) {
  if (version === 1) return [];
  const count = Math.floor(version / 7) + 2;
  const step = version === 32 ? 26 : Math.ceil((version * 4 + 4) / (count * 2 - 2)) * 2;
  const last = sideOf(version) - 7;
  return [6, ...Array.from({ length: count - 1 }, (_, index) => last - (count - 2 - index) * step)];
}

/** How many modules carry data and check bits. */
function dataModules(version) {
  const side = sideOf(version);
  const lines = alignments(version).length;
  const finders = 3 * 64;
  const timing = 2 * (side - 16);
  // Those on the timing patterns share five modules with them; three corners have none.
  const aligned = lines === 0 ? 0 : 25 * (lines * lines - 3) - 10 * (lines - 2);
  const versionInformation = version >= 7 ? 36 : 0;
  return side * side - finders - timing - aligned - 31 - versionInformation;
}

function capacity(version) {
  const all = Math.floor(dataModules(version) / 8);
  return all - checkBytesOfBlock[version - 1] * blocksOf[version - 1];
}

const countBits = (version) => (version < 10 ? 8 : 16);

function smallestVersion(length) {
  for (let version = 1; version <= 40; version += 1) {
    if (4 + countBits(version) + length * 8 <= capacity(version) * 8) return version;
  }
  throw new RangeError(`${length} bytes are too many for a QR code`);
}

const bitsOf = (value, count) => Array.from({ length: count }, (_, index) => (value >>> (count - 1 - index)) & 1);

/** §7.4: mode, length, bytes, terminator, padding. */
function dataBytes(bytes, version) {
  const size = capacity(version);
  const bits = [...bitsOf(byteMode, 4), ...bitsOf(bytes.length, countBits(version)), ...[...bytes].flatMap((byte) => bitsOf(byte, 8))];
  bits.push(...new Array(Math.min(4, size * 8 - bits.length)).fill(0));
  while (bits.length % 8 !== 0) bits.push(0);
  const packed = Array.from({ length: bits.length / 8 }, (_, index) => parseInt(bits.slice(index * 8, index * 8 + 8).join(''), 2));
  for (let index = 0; packed.length < size; index += 1) packed.push(padding[index % 2]);
  return packed;
}

/** §7.6: the bytes of all blocks in turn, then their check bytes in turn. */
function interleaved(data, version) {
  const count = blocksOf[version - 1];
  const checks = checkBytesOfBlock[version - 1];
  const short = Math.floor(data.length / count);
  const longBlocks = data.length % count; // the last ones are a byte longer
  const blocks = [];
  let at = 0;
  for (let index = 0; index < count; index += 1) {
    const length = short + (index >= count - longBlocks ? 1 : 0);
    blocks.push(data.slice(at, at + length));
    at += length;
  }
  const inTurn = (lists) => Array.from({ length: Math.max(...lists.map(({ length }) => length)) }, (_, index) =>
    lists.flatMap((list) => (index < list.length ? [list[index]] : []))).flat();
  return [...inTurn(blocks), ...inTurn(blocks.map((block) => checkBytes(block, checks)))];
}

/** The remainder that BCH codes append (annexes C and D). */
function bch(value, generator, bits) {
  let rest = value;
  for (let bit = 0; bit < bits; bit += 1) rest = (rest << 1) ^ ((rest >>> (bits - 1)) * generator);
  return (value << bits) | rest;
}

/** The modules of a code in the making: null where none has been set. */
class Matrix {
  constructor(version) {
    this.version = version;
    this.side = sideOf(version);
    this.modules = Array.from({ length: this.side }, () => new Array(this.side).fill(null));
  }

  set(x, y, isDark) {
    if (x >= 0 && y >= 0 && x < this.side && y < this.side) this.modules[y][x] = isDark;
  }

  /** Concentric squares: dark where `isDark(distance from the centre)`. */
  #rings(centreX, centreY, radius, isDark) {
    for (let y = -radius; y <= radius; y += 1) {
      for (let x = -radius; x <= radius; x += 1) {
        this.set(centreX + x, centreY + y, isDark(Math.max(Math.abs(x), Math.abs(y))));
      }
    }
  }

  drawPatterns() {
    const last = this.side - 1;
    for (let at = 0; at < this.side; at += 1) {
      this.set(6, at, at % 2 === 0);
      this.set(at, 6, at % 2 === 0);
    }
    for (const [x, y] of [[3, 3], [last - 3, 3], [3, last - 3]]) this.#rings(x, y, 4, (far) => far !== 2 && far !== 4);
    const lines = alignments(this.version);
    const end = lines.at(-1);
    for (const x of lines) {
      for (const y of lines) {
        const isFinder = (x === 6 && y === 6) || (x === 6 && y === end) || (x === end && y === 6);
        if (!isFinder) this.#rings(x, y, 2, (far) => far !== 1);
      }
    }
    this.drawFormat(0);
    this.#drawVersion();
  }

  /** §7.9, twice: around the first finder, and beside the other two. */
  drawFormat(mask) {
    const bits = bitsOf(bch((levelM << 3) | mask, 0x537, 10) ^ 0x5412, 15).map(Boolean).reverse();
    const last = this.side - 1;
    bits.forEach((bit, index) => {
      if (index < 6) this.set(8, index, bit);
      else if (index < 8) this.set(8, index + 1, bit);
      else if (index === 8) this.set(7, 8, bit);
      else this.set(14 - index, 8, bit);
      if (index < 8) this.set(last - index, 8, bit);
      else this.set(8, last - 14 + index, bit);
    });
    this.set(8, last - 7, true);
  }

  /** §7.10, twice, from version 7. */
  #drawVersion() {
    if (this.version < 7) return;
    const bits = bitsOf(bch(this.version, 0x1f25, 12), 18).map(Boolean).reverse();
    bits.forEach((bit, index) => {
      const far = this.side - 11 + (index % 3);
      const near = Math.floor(index / 3);
      this.set(far, near, bit);
      this.set(near, far, bit);
    });
  }

  /** §7.7.3: two columns at a time, from the right, up and down in turn. Returns where they went. */
  fill(bytes) {
    const bits = bytes.flatMap((byte) => bitsOf(byte, 8));
    const filled = [];
    let isUp = true;
    for (let right = this.side - 1; right > 0; right -= 2) {
      if (right === 6) right = 5;
      for (let step = 0; step < this.side; step += 1) {
        const y = isUp ? this.side - 1 - step : step;
        for (const x of [right, right - 1]) {
          if (this.modules[y][x] !== null) continue;
          this.modules[y][x] = (bits[filled.length] ?? 0) === 1;
          filled.push([x, y]);
        }
      }
      isUp = !isUp;
    }
    return filled;
  }
}

// Table 10: a module of the data is inverted where its mask says so.
const masks = [
  (x, y) => (x + y) % 2 === 0,
  (_, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

/** §7.8.3.1, N1 and N3: long runs, and what looks like a finder. */
function linePenalty(line) {
  const text = line.map((isDark) => (isDark ? '1' : '0')).join('');
  const runs = [...text.matchAll(/0{5,}|1{5,}/g)].reduce((sum, [run]) => sum + run.length - 2, 0);
  const finders = [...text.matchAll(/(?=10111010000|00001011101)/g)].length;
  return runs + finders * 40;
}

function penalty(modules) {
  const side = modules.length;
  const columns = modules.map((_, x) => modules.map((row) => row[x]));
  const lines = [...modules, ...columns].reduce((sum, line) => sum + linePenalty(line), 0);
  let blocks = 0;
  for (let y = 0; y + 1 < side; y += 1) {
    for (let x = 0; x + 1 < side; x += 1) {
      const colour = modules[y][x];
      if (modules[y][x + 1] === colour && modules[y + 1][x] === colour && modules[y + 1][x + 1] === colour) blocks += 3;
    }
  }
  const dark = modules.flat().filter(Boolean).length;
  return lines + blocks + Math.floor(Math.abs(dark * 20 - side * side * 10) / (side * side)) * 10;
}

/**
 * The QR code of `text` in UTF-8, without the quiet zone: rows of modules, true is dark.
 * Throws RangeError above 2331 bytes.
 * @returns {boolean[][]}
 */
export function encodeQr(text) {
  const bytes = new TextEncoder().encode(text);
  const version = smallestVersion(bytes.length);
  const matrix = new Matrix(version);
  matrix.drawPatterns();
  const filled = matrix.fill(interleaved(dataBytes(bytes, version), version));
  const flip = (mask) => {
    for (const [x, y] of filled) if (masks[mask](x, y)) matrix.modules[y][x] = !matrix.modules[y][x];
  };
  let best = { penalty: Infinity, mask: 0 };
  for (let mask = 0; mask < masks.length; mask += 1) {
    flip(mask);
    matrix.drawFormat(mask);
    const found = penalty(matrix.modules);
    if (found < best.penalty) best = { penalty: found, mask };
    flip(mask);
  }
  flip(best.mask);
  matrix.drawFormat(best.mask);
  return matrix.modules;
}
