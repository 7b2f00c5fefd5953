// A client's first words over TLS (RFC 8446, RFC 5246) and DTLS 1.2 (RFC 6347), without a library
// behind them: what a flood of handshakes costs its sender is a few bytes.

import { randomBytes } from 'node:crypto';

const u16 = (value) => Buffer.from([value >> 8, value & 0xff]);
const u24 = (value) => Buffer.from([value >> 16, (value >> 8) & 0xff, value & 0xff]);
const list = (bytes) => Buffer.concat([u16(bytes.length), bytes]);
const extension = (type, body) => Buffer.concat([u16(type), list(body)]);

const x25519 = u16(0x001d);
const aes128gcm = [u16(0xc02b), u16(0xc02f)]; // ECDHE with ECDSA or RSA

const commonExtensions = [
  extension(10, list(Buffer.concat([x25519, u16(0x0017)]))), // supported_groups
  extension(11, Buffer.from([1, 0])), // ec_point_formats
  extension(13, list(Buffer.concat([u16(0x0403), u16(0x0804), u16(0x0401)]))), // signature_algorithms
  extension(23, Buffer.alloc(0)), // extended_master_secret
];

function body({ version, cookie, suites, extensions }) {
  return Buffer.concat([
    version, randomBytes(32), Buffer.from([0]), ...(cookie ? [Buffer.from([cookie.length]), cookie] : []),
    list(Buffer.concat(suites)), Buffer.from([1, 0]), list(Buffer.concat(extensions)),
  ]);
}

/// One record with a ClientHello for TLS 1.3 or 1.2.
export function tlsClientHello() {
  const keyShare = list(Buffer.concat([x25519, list(randomBytes(32))]));
  const extensions = [...commonExtensions, extension(43, Buffer.from([4, 3, 4, 3, 3])), extension(51, keyShare)];
  const hello = body({ version: u16(0x0303), suites: [u16(0x1301), ...aes128gcm], extensions });
  return Buffer.concat([Buffer.from([22, 3, 1]), list(Buffer.concat([Buffer.from([1]), u24(hello.length), hello]))]);
}

/// One datagram with a ClientHello for DTLS 1.2; the second one of a client brings the cookie of the
/// server's HelloVerifyRequest back.
export function dtlsClientHello({ cookie = Buffer.alloc(0) } = {}) {
  const number = cookie.length > 0 ? 1 : 0; // of the message, and of the record
  const hello = body({ version: u16(0xfefd), cookie, suites: aes128gcm, extensions: commonExtensions });
  const handshake = Buffer.concat([
    Buffer.from([1]), u24(hello.length), u16(number), u24(0), u24(hello.length), hello,
  ]);
  return Buffer.concat([Buffer.from([22, 0xfe, 0xff]), u16(0), u24(0), u24(number), list(handshake)]);
}

/// The cookie of a HelloVerifyRequest; undefined for anything else.
export function cookieIn(datagram) {
  const isHelloVerifyRequest = datagram.length > 28 && datagram[0] === 22 && datagram[13] === 3;
  return isHelloVerifyRequest ? datagram.subarray(28, 28 + datagram[27]) : undefined;
}
