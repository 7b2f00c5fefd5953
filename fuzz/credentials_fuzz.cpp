// Names of users and nonces: the input as a username, as a realm, as text for OpaqueString, as a
// USERHASH and as a nonce. What is read is written again and must say the same; nobody is found who
// is not there, and no nonce is believed that was not issued to that client at that time.

#include <string>

#include "auth/credential_book.h"
#include "auth/credentials.h"
#include "auth/nonce.h"
#include "auth/opaque_string.h"
#include "base/endpoint.h"
#include "input.h"

namespace {

using namespace turnpike;
using namespace turnpike::auth;

constexpr seconds lifetime{600};

void check_time_limited(std::string_view name) {
  const auto user = parse_time_limited_username(name);
  if (!user) return;
  PROMISE(name.front() >= '1' && name.front() <= '9');
  PROMISE(user->expires.time_since_epoch() <= seconds{253402300799});
  PROMISE(!user->account.empty());
  const bool has_account = user->account.size() != name.size();
  const std::string again =
      time_limited_username(user->expires, has_account ? user->account : std::string_view{});
  PROMISE(again == name);
}

void check_room_member(std::string_view account) {
  if (!is_room_member(account)) return;
  const std::size_t at = account.find('@');
  PROMISE(at == 10 && account.starts_with("p_") && account.size() > at + 1);
  PROMISE(room_member_account(account.substr(0, at), account.substr(at + 1)) == account);
}

void check_opaque(std::string_view text) {
  const auto prepared = opaque_string(text);
  if (!prepared) return;
  PROMISE(!prepared->empty());
  PROMISE(opaque_string(*prepared) == prepared);
  for (const char c : *prepared) PROMISE(static_cast<std::uint8_t>(c) >= 0x20 && c != 0x7f);
}

/// A book with the input as its user: the hash finds that one, and nothing else does.
void check_book(std::string_view name, std::string_view realm) {
  CredentialSettings settings;
  settings.realm = realm;
  settings.users = {{std::string{name}, "wonderland"}};
  const CredentialBook book{settings};
  const std::string prepared = opaque_string(name).value_or(std::string{name});
  PROMISE(book.has_static_user(prepared));
  Sha256Digest hash = userhash(prepared, book.realm());
  PROMISE(book.username_of(hash) == prepared);
  PROMISE(!book.username_of(ByteView{hash}.first(31)));
  hash.back() ^= 1;
  PROMISE(!book.username_of(hash));
  PROMISE(!book.username_of(bytes_of(name)) || name.size() == 32);
  for (const auto algorithm : {stun::PasswordAlgorithm::md5, stun::PasswordAlgorithm::sha256}) {
    PROMISE(book.static_key(prepared, algorithm) != nullptr);
    PROMISE(book.static_key(prepared + "x", algorithm) == nullptr);
  }
}

void check_foreign_nonce(const NonceIssuer& issuer, std::string_view text) {
  const Endpoint client{IpAddress::v4(0xc6336407), 40000};
  PROMISE(!issuer.is_valid(text, client, Instant{seconds{100'000}}));
  PROMISE(!issuer.has_own_cookie(text) || text.size() >= nonce_cookie_bytes);
}

/// A nonce of ours, used by somebody, some time later, perhaps damaged.
void check_own_nonce(const NonceIssuer& issuer, fuzz::Input& input) {
  const auto v6 = [](std::uint8_t last) {
    std::array<std::uint8_t, 16> bytes{0x20, 0x01, 0x0d, 0xb8};
    bytes.back() = last;
    return IpAddress::from_bytes(Family::ipv6, bytes);
  };
  const auto endpoint = [&] {
    const IpAddress address =
        input.byte() % 2 == 0 ? IpAddress::v4(0xc6336400U | input.byte()) : v6(input.byte());
    return Endpoint{address, input.u16()};
  };
  const Endpoint owner = endpoint();
  const Endpoint user = input.byte() % 2 == 0 ? owner : endpoint();
  const Instant issued{seconds{input.u32()}};
  const seconds age{input.u16()};
  Nonce nonce = issuer.issue(owner, issued);
  const Nonce intact = nonce;
  if (input.byte() % 2 == 1)
    nonce.characters[input.below(nonce_bytes)] = static_cast<char>(input.byte());
  const bool is_intact = nonce.text() == intact.text();
  PROMISE(issuer.is_valid(intact.text(), owner, issued));
  PROMISE(issuer.has_own_cookie(intact.text()));
  PROMISE(issuer.is_valid(nonce.text(), user, issued + age) ==
          (is_intact && user == owner && age <= lifetime));
  PROMISE(!issuer.is_valid(nonce.text().substr(1), owner, issued));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size > 2000) return 0;
  const std::string_view text = text_of({bytes, size});
  const std::size_t half = std::min(text.find('\n'), text.size());
  check_time_limited(text);
  check_room_member(text);
  check_opaque(text);
  if (half > 0) check_book(text.substr(0, half), text.substr(std::min(half + 1, text.size())));

  NonceIssuer::Key key{};
  key.fill(0x4e);
  const NonceIssuer issuer{key, lifetime, {.username_anonymity = size % 2 == 1}};
  check_foreign_nonce(issuer, text);
  fuzz::Input input{ByteView{bytes, size}};
  check_own_nonce(issuer, input);
  return 0;
}
