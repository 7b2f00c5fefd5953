#include "conformance/dtls_hello.h"

#include <array>

namespace turnpike::conformance {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t record_header_bytes = 13;
constexpr std::size_t handshake_header_bytes = 12;
constexpr std::uint8_t handshake_record = 22;
constexpr std::uint8_t client_hello = 1;

// TLS_ECDHE_{ECDSA,RSA}_WITH_AES_{128,256}_GCM; no compression; X25519 and P-256; the signatures
// that certificates of today have.
constexpr std::array<std::uint8_t, 12> ciphers_and_compression{0x00, 0x08, 0xc0, 0x2b, 0xc0, 0x2f,
                                                               0xc0, 0x2c, 0xc0, 0x30, 0x01, 0x00};
constexpr std::array<std::uint8_t, 36> extensions{
    0x00, 0x22,                                                              // all of them
    0x00, 0x0a, 0x00, 0x06, 0x00, 0x04, 0x00, 0x1d, 0x00, 0x17,              // supported_groups
    0x00, 0x0b, 0x00, 0x02, 0x01, 0x00,                                      // ec_point_formats
    0x00, 0x0d, 0x00, 0x0a, 0x00, 0x08, 0x04, 0x03, 0x08, 0x04, 0x04, 0x01,  // signature_algorithms
    0x08, 0x07, 0x00, 0x17, 0x00, 0x00};  // extended_master_secret

void append(Bytes& bytes, ByteView more) { bytes.insert(bytes.end(), more.begin(), more.end()); }

void append_u16(Bytes& bytes, std::size_t value) {
  bytes.push_back(static_cast<std::uint8_t>(value >> 8));
  bytes.push_back(static_cast<std::uint8_t>(value));
}

}  // namespace

Bytes make_client_hello(ByteView random, ByteView cookie, std::uint8_t message) {
  Bytes body{0xfe, 0xfd};  // DTLS 1.2
  append(body, random);
  body.push_back(0);  // no session
  body.push_back(static_cast<std::uint8_t>(cookie.size()));
  append(body, cookie);
  append(body, ciphers_and_compression);
  append(body, extensions);

  Bytes record{handshake_record, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, message};
  append_u16(record, handshake_header_bytes + body.size());
  append(record, Bytes{client_hello, 0});
  append_u16(record, body.size());
  append(record, Bytes{0, message, 0, 0, 0, 0});
  append_u16(record, body.size());
  append(record, body);
  return record;
}

std::optional<std::uint8_t> handshake_type(ByteView datagram) {
  constexpr std::size_t epoch_at = 3;
  if (datagram.size() < record_header_bytes + handshake_header_bytes) return std::nullopt;
  if (datagram[0] != handshake_record || load_be16(datagram.subspan(epoch_at)) != 0) {
    return std::nullopt;
  }
  return datagram[record_header_bytes];
}

std::optional<Bytes> cookie_in(ByteView datagram) {
  if (handshake_type(datagram) != handshake_hello_verify_request) return std::nullopt;
  constexpr std::size_t version_bytes = 2;
  const ByteView body = datagram.subspan(record_header_bytes + handshake_header_bytes);
  if (body.size() <= version_bytes) return std::nullopt;
  const ByteView rest = body.subspan(version_bytes + 1);
  const std::size_t size = body[version_bytes];
  if (rest.size() < size) return std::nullopt;
  return Bytes{rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(size)};
}

}  // namespace turnpike::conformance
