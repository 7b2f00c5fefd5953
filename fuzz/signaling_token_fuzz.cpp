// The token reader: the input as it is, and as the claims of a token that is rightly signed, since
// a fuzzer does not find a MAC by itself. What verifies is minted again and must say the same.

#include <cstdint>
#include <string>

#include "base/assert.h"
#include "signaling/base64url.h"
#include "signaling/token.h"

namespace {

using namespace turnpike;
using namespace turnpike::signaling;

constexpr WallTime wall{seconds{1'800'000'000}};

const HmacSha256Key& fixed_key() {
  static const HmacSha256Key key{bytes_of("0123456789abcdef0123456789abcdef")};
  return key;
}

const FixedTokenKeys& keys() {
  static const FixedTokenKeys all{
      {TokenKey{"k1", fixed_key()}, TokenKey{"ed", Ed25519PublicKey{}}}};
  return all;
}

void check_same(const Claims& a, const Claims& b) {
  TURNPIKE_ASSERT(a.subject == b.subject && a.room == b.room && a.name == b.name);
  TURNPIKE_ASSERT(a.expires == b.expires && a.role == b.role && a.can == b.can);
  TURNPIKE_ASSERT(a.max == b.max && a.ice_ttl == b.ice_ttl && a.relay_only == b.relay_only);
}

void check(std::string_view token) {
  const auto verified = verify_token(token, keys(), wall);
  if (!verified) return;
  const Claims& claims = verified->claims;
  TURNPIKE_ASSERT(verified->key_id == "k1");  // nobody has a signature of the other
  TURNPIKE_ASSERT(!claims.room.empty() && claims.expires > wall);
  TURNPIKE_ASSERT(!claims.max || (*claims.max > 0 && *claims.max <= 64));
  const std::string again = mint_token(claims, "k1", fixed_key());
  if (again.size() > 8192) return;  // escapes can make it longer than it came
  const auto read_again = verify_token(again, keys(), wall);
  TURNPIKE_ASSERT(read_again);
  check_same(claims, read_again->claims);
}

std::string sign(std::string_view header, std::string_view payload) {
  std::string token =
      base64url_encode(bytes_of(header)) + "." + base64url_encode(bytes_of(payload));
  return token + "." + base64url_encode(fixed_key().mac({bytes_of(token)}));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view input = text_of({bytes, size});
  check(input);
  check(sign(R"({"alg":"HS256","kid":"k1"})", input));
  const auto decoded = base64url_decode(input);
  if (decoded) TURNPIKE_ASSERT(base64url_encode(*decoded) == input);
  return 0;
}
