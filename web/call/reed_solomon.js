// Reed-Solomon check bytes over GF(256) with x^8 + x^4 + x^3 + x^2 + 1, as QR codes use them
// (ISO/IEC 18004:2015 §7.5.2 and annex A).

const polynomial = 0x11d;

const exponents = new Uint8Array(255);
const logarithms = new Uint8Array(256);
for (let power = 0, value = 1; power < 255; power += 1) {
  exponents[power] = value;
  logarithms[value] = power;
  value <<= 1;
  if (value > 255) value ^= polynomial;
}

const product = (a, b) => (a === 0 || b === 0 ? 0 : exponents[(logarithms[a] + logarithms[b]) % 255]);

/** (x - 2^0)(x - 2^1)…, highest power first, without the leading 1. */
function generator(degree) {
  let factors = [1];
  for (let root = 0; root < degree; root += 1) {
    const next = [...factors, 0];
    factors.forEach((factor, index) => (next[index + 1] ^= product(factor, exponents[root])));
    factors = next;
  }
  return factors.slice(1);
}

/** @param {number[]} bytes @param {number} count @returns {number[]} `count` check bytes */
export function checkBytes(bytes, count) {
  const divisor = generator(count);
  let rest = new Array(count).fill(0);
  for (const byte of bytes) {
    const factor = byte ^ rest[0];
    rest = [...rest.slice(1), 0].map((value, index) => value ^ product(divisor[index], factor));
  }
  return rest;
}
