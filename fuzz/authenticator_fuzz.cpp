// Who gets in. The input chooses what stands in a request, out of what is right and what is not,
// and with which key it is signed; the bytes are made right, so that every check is reached. A
// second reading of RFC 8489 §9.2.4, written here alone, says what must come of it.

#include <array>
#include <optional>
#include <string>

#include "auth/authenticator.h"
#include "auth/opaque_string.h"
#include "base/endpoint.h"
#include "input.h"

namespace {

using namespace turnpike;
using namespace turnpike::auth;
using stun::AttributeType;
using stun::PasswordAlgorithm;

constexpr std::string_view realm = "example.org";
constexpr std::string_view secret = "north-of-the-river-32-bytes-long-secret";
constexpr Now now{Instant{seconds{100'000}}, WallTime{seconds{1'780'000'000}}};
constexpr seconds nonce_lifetime{600};

Endpoint client(std::uint16_t port = 40000) { return {IpAddress::v4(0xc6336407), port}; }

/// "alice" is in the book; of the time-limited users two are not over, one is, one is too far
/// ahead, and one was revoked; "bob" is known by an answer, "nobody" is known not to be there; the
/// last has not been asked for.
struct Name {
  std::string_view text;
  enum class Kind : std::uint8_t { fixed, limited, over, revoked, answered, refused, unknown } kind;
};
constexpr std::array<Name, 9> names{{{"alice", Name::Kind::fixed},
                                     {"1780003600:carol", Name::Kind::limited},
                                     {"1780000000", Name::Kind::limited},
                                     {"1779990000:carol", Name::Kind::over},
                                     {"1790000000:carol", Name::Kind::over},
                                     {"1780003600:mallory", Name::Kind::revoked},
                                     {"bob", Name::Kind::answered},
                                     {"nobody", Name::Kind::refused},
                                     {"dora", Name::Kind::unknown}}};

CredentialSettings book_settings(bool has_secrets) {
  CredentialSettings settings;
  settings.realm = realm;
  settings.users = {{"alice", "wonderland"}};
  settings.revocations = {{"mallory", true, WallTime{seconds{1'790'000'000}}}};
  if (has_secrets) settings.secrets = {{"main", std::string{secret}}};
  return settings;
}

std::string password_of(const Name& name) {
  switch (name.kind) {
    case Name::Kind::fixed:
      return "wonderland";
    case Name::Kind::answered:
      return "builder";
    default:
      return time_limited_password(secret, name.text);
  }
}

LongTermKey key_of(const Name& name, PasswordAlgorithm algorithm) {
  return long_term_key(algorithm, name.text, realm, password_of(name));
}

/// What the input wants to stand in the request.
struct Wish {
  bool has_secrets, asks_for_users, tolerates;
  const Name* name;
  bool puts_name, hashes_name, puts_realm, puts_nonce, puts_algorithm, puts_list;
  bool list_is_ours;
  std::uint8_t nonce_kind;  // 0..3: ours; 4: of another client; 5: too old; 6: nonsense
  std::uint16_t algorithm;
  std::uint8_t key_kind;  // 0..2: the right one; 3: of the other algorithm; 4: of another user
  bool sha1, sha256;
  std::uint16_t oversized;  // 0: none; 1: realm, 2: nonce, 3: username
};

Wish wish_of(fuzz::Input& input) {
  Wish wish{};
  const std::uint8_t world = input.byte();
  wish.has_secrets = (world & 1) != 0;
  wish.asks_for_users = (world & 2) != 0;
  wish.tolerates = (world & 4) != 0;
  wish.name = &names.at(input.below(names.size()));
  const std::uint8_t attributes = input.byte();  // 0: all there
  wish.puts_name = (attributes & 1) == 0;
  wish.hashes_name = (attributes & 2) != 0;
  wish.puts_realm = (attributes & 4) == 0;
  wish.puts_nonce = (attributes & 8) == 0;
  wish.puts_algorithm = (attributes & 16) != 0;
  wish.puts_list = (attributes & 32) != 0;
  wish.list_is_ours = (attributes & 64) == 0;
  wish.nonce_kind = static_cast<std::uint8_t>(input.below(7));
  wish.algorithm = static_cast<std::uint16_t>(1 + input.below(2));
  if (input.byte() == 255) wish.algorithm = input.u16();
  wish.key_kind = static_cast<std::uint8_t>(input.below(5));
  const std::uint8_t integrity = input.byte();
  wish.sha1 = (integrity & 1) != 0;
  wish.sha256 = (integrity & 2) != 0;
  wish.oversized =
      (integrity & 0xf0) == 0xf0 ? static_cast<std::uint16_t>(1 + (integrity & 12) / 4) : 0;
  return wish;
}

std::string nonce_of(const Wish& wish, const Authenticator::Settings& settings,
                     SecurityFeatures features) {
  const NonceIssuer issuer{settings.nonce_key, settings.nonce_lifetime, features};
  if (wish.nonce_kind == 6) return "no nonce of ours";
  const Endpoint whose = wish.nonce_kind == 4 ? client(40001) : client();
  const seconds age =
      wish.nonce_kind == 5 ? nonce_lifetime + seconds{1} : seconds{wish.nonce_kind * 200};
  return std::string{issuer.issue(whose, now.instant - age).text()};
}

void put_algorithms(stun::MessageBuilder& message, const Wish& wish) {
  constexpr std::array<PasswordAlgorithm, 2> offered{PasswordAlgorithm::sha256,
                                                     PasswordAlgorithm::md5};
  constexpr std::array<PasswordAlgorithm, 1> bid_down{PasswordAlgorithm::md5};
  if (wish.puts_list && wish.list_is_ours) message.put_password_algorithms(offered);
  if (wish.puts_list && !wish.list_is_ours) message.put_password_algorithms(bid_down);
  if (wish.puts_algorithm) {
    message.put_password_algorithm(static_cast<PasswordAlgorithm>(wish.algorithm));
  }
}

/// The algorithm that both sides go by, as far as it was said.
PasswordAlgorithm agreed(const Wish& wish) {
  const bool is_known = wish.algorithm == 1 || wish.algorithm == 2;
  const bool is_explicit = wish.puts_algorithm && wish.puts_list && is_known;
  return is_explicit ? static_cast<PasswordAlgorithm>(wish.algorithm) : PasswordAlgorithm::md5;
}

LongTermKey signing_key(const Wish& wish) {
  const PasswordAlgorithm right = agreed(wish);
  const PasswordAlgorithm other =
      right == PasswordAlgorithm::md5 ? PasswordAlgorithm::sha256 : PasswordAlgorithm::md5;
  if (wish.key_kind == 3) return key_of(*wish.name, other);
  if (wish.key_kind == 4) return long_term_key(right, wish.name->text, realm, "guessed");
  return key_of(*wish.name, right);
}

stun::MessageBuilder built(MutableByteView buffer, const Wish& wish, std::string_view nonce) {
  const std::string long_text(764, 'x');
  stun::MessageBuilder message{buffer, stun::Class::request, stun::Method::allocate, {}};
  if (wish.puts_name) {
    message.put_text(AttributeType::username,
                     wish.oversized == 3 ? long_text : std::string{wish.name->text});
  }
  if (wish.hashes_name) message.put(AttributeType::userhash, userhash(wish.name->text, realm));
  if (wish.puts_realm) {
    message.put_text(AttributeType::realm, wish.oversized == 1 ? long_text : std::string{realm});
  }
  if (wish.puts_nonce)
    message.put_text(AttributeType::nonce, wish.oversized == 2 ? long_text : std::string{nonce});
  put_algorithms(message, wish);
  const stun::IntegrityKey key{signing_key(wish)};
  if (wish.sha1) message.put_message_integrity(key.sha1);
  if (wish.sha256) message.put_message_integrity_sha256(key.sha256);
  return message;
}

// --- The second reading --------------------------------------------------------------------------

enum class Verdict : std::uint8_t { in, wanted, bad_request, unauthenticated, stale };

/// §9.2.4, for the world of `wish`. The order of checks that lead to the same code does not matter.
Verdict expected(const Wish& wish) {
  using Kind = Name::Kind;
  if (!wish.sha1 && !wish.sha256) return Verdict::unauthenticated;
  if (wish.puts_name == wish.hashes_name || !wish.puts_realm || !wish.puts_nonce) {
    return Verdict::bad_request;
  }
  if (wish.oversized == 1 || wish.oversized == 2 || (wish.oversized == 3 && wish.puts_name)) {
    return Verdict::bad_request;
  }
  const bool has_our_cookie = wish.nonce_kind != 6;
  const bool says_any = wish.puts_algorithm || wish.puts_list;
  const bool is_possible =
      wish.puts_algorithm && wish.puts_list && (wish.algorithm == 1 || wish.algorithm == 2);
  if (says_any && has_our_cookie && !(is_possible && wish.list_is_ours))
    return Verdict::bad_request;

  Kind kind = wish.name->kind;
  const bool is_limited = kind == Kind::limited || kind == Kind::over || kind == Kind::revoked;
  if (wish.hashes_name && kind != Kind::fixed) return Verdict::unauthenticated;
  const bool is_fresh = wish.nonce_kind < 4;
  const bool is_asked_for = is_limited ? !wish.has_secrets : kind != Kind::fixed;
  if (is_asked_for) {
    if (!wish.asks_for_users) return Verdict::unauthenticated;
    const bool is_answered = kind == Kind::answered || kind == Kind::refused;
    if (!is_answered) return is_fresh ? Verdict::wanted : Verdict::stale;
    if (kind == Kind::refused) return Verdict::unauthenticated;
  } else if (kind == Kind::revoked || (kind == Kind::over && !wish.tolerates)) {
    return Verdict::unauthenticated;
  }
  if (wish.key_kind >= 3) return Verdict::unauthenticated;
  return is_fresh ? Verdict::in : Verdict::stale;
}

Verdict verdict_of(const std::variant<Principal, Denial, UserWanted>& outcome) {
  if (std::holds_alternative<Principal>(outcome)) return Verdict::in;
  if (std::holds_alternative<UserWanted>(outcome)) return Verdict::wanted;
  const auto code = error_code_of(std::get<Denial>(outcome));
  if (code == stun::ErrorCode::stale_nonce) return Verdict::stale;
  return code == stun::ErrorCode::bad_request ? Verdict::bad_request : Verdict::unauthenticated;
}

UserAnswer answer_for(const Name& name) {
  UserAnswer answer;
  answer.valid_until = now.instant + seconds{60};
  if (name.kind != Name::Kind::answered) return answer;
  UserKeys keys;
  for (const auto algorithm : {PasswordAlgorithm::md5, PasswordAlgorithm::sha256}) {
    keys.set(algorithm, stun::IntegrityKey{key_of(name, algorithm)});
  }
  answer.keys = keys;
  return answer;
}

void check_principal(const Principal& principal, const Wish& wish) {
  PROMISE(principal.username == wish.name->text);
  const std::size_t colon = wish.name->text.find(':');
  const bool is_limited = colon != std::string_view::npos;
  PROMISE(principal.account == (is_limited ? wish.name->text.substr(colon + 1) : wish.name->text));
  PROMISE(!principal.is_room_member);
  const bool is_explicit =
      wish.puts_algorithm && wish.puts_list && (wish.algorithm == 1 || wish.algorithm == 2);
  PROMISE((principal.integrity == ResponseIntegrity::sha256) == is_explicit);
  std::array<std::uint8_t, 128> buffer{};
  stun::MessageBuilder response{buffer, stun::Class::success, stun::Method::allocate, {}};
  principal.sign(response);
  const auto read = stun::MessageView::parse(response.bytes());
  const stun::IntegrityKey key{key_of(*wish.name, agreed(wish))};
  PROMISE(is_explicit ? stun::verify_message_integrity_sha256(*read, key.sha256)
                      : stun::verify_message_integrity(*read, key.sha1));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  fuzz::Input input{ByteView{bytes, size}};
  const Wish first = wish_of(input);
  const CredentialBook book{book_settings(first.has_secrets)};
  Authenticator::Settings settings;
  settings.nonce_key.fill(0x4e);
  settings.nonce_lifetime = nonce_lifetime;
  settings.cached_keys = 4;
  settings.asks_for_users = first.asks_for_users;
  Authenticator authenticator{book, settings};
  for (const Name& name : names) {
    const bool is_answered = name.kind == Name::Kind::answered || name.kind == Name::Kind::refused;
    if (is_answered) authenticator.remember(name.text, answer_for(name));
  }
  const SecurityFeatures features{
      .password_algorithms = true,
      .username_anonymity = !first.has_secrets && !first.asks_for_users};
  // Some requests, so that what was derived for one is there for the next.
  Wish wish = first;
  for (int requests = 0; requests < 4; ++requests) {
    std::array<std::uint8_t, 4096> buffer{};
    const auto message = built(buffer, wish, nonce_of(wish, settings, features));
    const auto request = stun::MessageView::parse(message.bytes());
    PROMISE(request);
    const auto rule = wish.tolerates ? ExpiryRule::tolerate : ExpiryRule::enforce;
    const auto outcome = authenticator.check(*request, client(), now, rule);
    const Verdict verdict = verdict_of(outcome);
    if (verdict != expected(wish)) {
      std::fprintf(stderr, "is %d, and should be %d\n", static_cast<int>(verdict),
                   static_cast<int>(expected(wish)));
    }
    PROMISE(verdict == expected(wish));
    if (const auto* const principal = std::get_if<Principal>(&outcome))
      check_principal(*principal, wish);
    if (input.empty()) break;
    wish = wish_of(input);
    wish.has_secrets = first.has_secrets;
    wish.asks_for_users = first.asks_for_users;
  }
  return 0;
}
