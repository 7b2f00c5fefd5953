#include "auth/nonce.h"

#include "stun/registry.h"

namespace turnpike::auth {
namespace {

constexpr std::size_t time_bytes = 2;
constexpr std::size_t tag_bytes = 10;

std::uint64_t whole_seconds(Instant instant) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<seconds>(instant.time_since_epoch()).count());
}

}  // namespace

std::uint32_t feature_bits(SecurityFeatures features) {
  std::uint32_t bits = 0;
  if (features.password_algorithms) bits |= 0x800001;
  if (features.username_anonymity) bits |= 0x400002;
  return bits;
}

NonceIssuer::NonceIssuer(const Key& key, seconds lifetime, SecurityFeatures features)
    : key_(key), lifetime_s_(static_cast<std::uint64_t>(lifetime.count())) {
  std::array<std::uint8_t, 4> bits{};
  store_be32(bits, feature_bits(features));
  std::string cookie{stun::nonce_cookie_prefix};
  cookie += base64_encode(ByteView{bits}.last(3));
  std::copy(cookie.begin(), cookie.end(), cookie_.begin());
}

Nonce NonceIssuer::issue(const Endpoint& client, Instant now) const {
  return make(client, whole_seconds(now));
}

// Only the low 16 bits of the time travel. The rest is what makes the issue time the latest
// possible one; for a nonce older than 18 hours that guess is wrong, and so is the MAC.
bool NonceIssuer::is_valid(std::string_view nonce, const Endpoint& client, Instant now) const {
  if (nonce.size() != nonce_bytes) return false;
  std::array<std::uint8_t, time_bytes + tag_bytes> tail{};
  if (!base64_decode_into(nonce.substr(nonce_cookie_bytes), tail)) return false;
  const std::uint64_t now_s = whole_seconds(now);
  const auto age_s = static_cast<std::uint16_t>(now_s - load_be16(tail));
  if (age_s > lifetime_s_ || age_s > now_s) return false;
  const Nonce expected = make(client, now_s - age_s);
  return equal_in_constant_time(bytes_of(expected.text()), bytes_of(nonce));
}

bool NonceIssuer::has_own_cookie(std::string_view nonce) const {
  return nonce.starts_with(std::string_view{cookie_.data(), cookie_.size()});
}

Nonce NonceIssuer::make(const Endpoint& client, std::uint64_t issued_s) const {
  std::array<std::uint8_t, 15> context{};
  store_be64(context, issued_s);
  store_be16(MutableByteView{context}.subspan(8), client.port);
  context[10] = static_cast<std::uint8_t>(client.family());
  store_be32(MutableByteView{context}.subspan(11), client.scope);
  const ByteView cookie{reinterpret_cast<const std::uint8_t*>(cookie_.data()), cookie_.size()};
  const Sha256Digest digest = key_.mac({cookie, context, client.address.bytes()});

  std::array<std::uint8_t, time_bytes + tag_bytes> tail{};
  store_be16(tail, static_cast<std::uint16_t>(issued_s));
  copy_bytes(ByteView{digest}.first(tag_bytes), MutableByteView{tail}.subspan(time_bytes));

  Nonce nonce{};
  std::copy(cookie_.begin(), cookie_.end(), nonce.characters.begin());
  base64_encode_into(tail, std::span{nonce.characters}.subspan(nonce_cookie_bytes));
  return nonce;
}

}  // namespace turnpike::auth
