// The checks of RFC 8489 §9.2.4, one request at a time, without a server around them.
#include "auth/authenticator.h"

#include <functional>
#include <ostream>
#include <utility>

#include "base/hex.h"
#include "catch.h"
#include "stun/attributes.h"

namespace turnpike::auth {

inline std::ostream& operator<<(std::ostream& out, Denial denial) {
  return out << "denial " << static_cast<int>(denial);
}

namespace {

using stun::AttributeType;
using stun::PasswordAlgorithm;
using test::Bytes;
using test::copy_of;
using test::to_hex;
using namespace std::string_literals;
using namespace std::chrono_literals;

constexpr auto md5_only = PasswordAlgorithm::md5;
const Endpoint home = Endpoint::parse("198.51.100.7:4000").value();
constexpr WallTime wall{seconds{1'800'000'000}};

struct Wish {
  bool static_users = true;
  std::string user = "alice";
  bool asks_for_users = false;
  std::vector<Secret> secrets{};
  std::vector<PasswordAlgorithm> algorithms{PasswordAlgorithm::sha256, PasswordAlgorithm::md5};
};

CredentialSettings credentials(const Wish& wish) {
  CredentialSettings settings;
  settings.realm = "example.org";
  if (wish.static_users) settings.users = {{wish.user, "wonderland"}};
  settings.secrets = wish.secrets;
  settings.algorithms = wish.algorithms;
  return settings;
}

/// An authenticator and somebody who sends it requests.
class Desk {
 public:
  explicit Desk(const Wish& wish = {})
      : book_(credentials(wish)), authenticator_(book_, settings(wish)) {
    log_in();
  }

  // What the next request says; each member may be changed before it.
  std::string username = "alice";
  std::string password = "wonderland";
  std::string realm;
  std::string nonce;
  std::string offered;  // PASSWORD-ALGORITHMS, raw
  std::optional<PasswordAlgorithm> named;
  bool with_username = true;
  bool with_userhash = false;
  bool with_realm = true;
  bool with_nonce = true;
  bool with_list = true;       // PASSWORD-ALGORITHMS beside PASSWORD-ALGORITHM
  bool with_algorithm = true;  // PASSWORD-ALGORITHM beside PASSWORD-ALGORITHMS
  bool with_integrity = true;
  bool sign_sha1 = false;  // with a named algorithm: MESSAGE-INTEGRITY all the same
  Endpoint from = home;
  std::string owner;  // who has an allocation on this five-tuple
  Now now{Instant{} + 1'000'000s, wall};

  void log_in() {
    Bytes buffer(500);
    stun::MessageBuilder challenge{buffer, stun::Class::error, stun::Method::allocate, {}};
    authenticator_.put_challenge(challenge, from, now.instant);
    const auto message = stun::MessageView::parse(challenge.bytes()).value();
    realm = text_of(message.find(AttributeType::realm).value());
    nonce = text_of(message.find(AttributeType::nonce).value());
    offered = text_of(message.find(AttributeType::password_algorithms).value());
  }

  /// The verdict on a request; `username`, `account` and how to sign are kept when it is a yes.
  std::optional<Denial> denial(ExpiryRule expiry = ExpiryRule::enforce) {
    const Bytes request = build();
    const auto message = stun::MessageView::parse(request).value();
    const auto verdict = authenticator_.check(message, from, now, expiry, owner);
    if (const auto* no = std::get_if<Denial>(&verdict)) return *no;
    const auto& principal = std::get<Principal>(verdict);
    known_as = principal.username;
    account = principal.account;
    limits = principal.limits;
    is_room_member = principal.is_room_member;
    integrity = principal.integrity;
    Bytes buffer(500);
    stun::MessageBuilder response{buffer, stun::Class::success, stun::Method::allocate, {}};
    principal.sign(response);
    const auto answer = stun::MessageView::parse(response.bytes()).value();
    is_signed_by_our_key = integrity == ResponseIntegrity::sha256
                               ? stun::verify_message_integrity_sha256(answer, key().sha256)
                               : stun::verify_message_integrity(answer, key().sha1);
    return std::nullopt;
  }
  bool passes(ExpiryRule expiry = ExpiryRule::enforce) { return !denial(expiry); }

  /// Whom the authenticator asks for when it sees the request; nothing: it has a verdict.
  std::optional<std::string> wanted() {
    const Bytes request = build();
    const auto message = stun::MessageView::parse(request).value();
    const auto verdict = authenticator_.check(message, from, now, ExpiryRule::enforce);
    const auto* const wanted = std::get_if<UserWanted>(&verdict);
    if (wanted == nullptr) return std::nullopt;
    return std::string{wanted->username};
  }
  /// A source answers that `name` has `secret` for a password; nothing: there is no such user.
  void answer(std::string_view name, std::optional<std::string> secret, Instant valid_until,
              UserLimits granted = {}) {
    UserAnswer answer{{}, granted, valid_until};
    if (secret) {
      answer.keys.emplace();
      for (const auto algorithm : {PasswordAlgorithm::md5, PasswordAlgorithm::sha256}) {
        const auto bytes = long_term_key(algorithm, name, "example.org", *secret);
        answer.keys->set(algorithm, stun::IntegrityKey{bytes});
      }
    }
    authenticator_.remember(name, std::move(answer));
  }
  Authenticator& authenticator() { return authenticator_; }

  std::string known_as;
  std::string account;
  UserLimits limits;
  bool is_room_member = false;
  ResponseIntegrity integrity{};
  bool is_signed_by_our_key = false;

 private:
  static Authenticator::Settings settings(const Wish& wish) {
    Authenticator::Settings settings;
    settings.asks_for_users = wish.asks_for_users;
    settings.nonce_key = {1, 2, 3};
    settings.hash_seed = HashSeed{7};
    settings.cached_keys = 8;
    return settings;
  }

  stun::IntegrityKey key() const {
    return stun::IntegrityKey{long_term_key(named.value_or(md5_only), username, realm, password)};
  }

  Bytes build() const {
    Bytes buffer(8000);
    stun::MessageBuilder request{buffer, stun::Class::request, stun::Method::allocate, {1, 2, 3}};
    if (with_username) request.put_text(AttributeType::username, username);
    if (with_userhash) request.put(AttributeType::userhash, userhash(username, realm));
    if (with_realm) request.put_text(AttributeType::realm, realm);
    if (with_nonce) request.put_text(AttributeType::nonce, nonce);
    if (named && with_list) request.put_text(AttributeType::password_algorithms, offered);
    if (named && with_algorithm) request.put_password_algorithm(*named);
    if (with_integrity) {
      if (!named || sign_sha1) request.put_message_integrity(key().sha1);
      if (named && !sign_sha1) request.put_message_integrity_sha256(key().sha256);
    }
    return copy_of(request.bytes());
  }

  CredentialBook book_;
  Authenticator authenticator_;
};

void mint(Desk& desk, seconds from_now, std::string_view user, std::string_view secret) {
  desk.username = time_limited_username(desk.now.wall + from_now, user);
  desk.password = time_limited_password(secret, desk.username);
}

}  // namespace

// --- Codes ---------------------------------------------------------------------------------------

TEST_CASE("denials are answered with 400, 401 or 438", "[auth][rfc8489-9.2.4]") {
  const auto code = [](Denial denial) { return static_cast<int>(error_code_of(denial)); };
  CHECK(code(Denial::no_credentials) == 401);
  CHECK(code(Denial::unknown_user) == 401);
  CHECK(code(Denial::expired_user) == 401);
  CHECK(code(Denial::revoked_user) == 401);
  CHECK(code(Denial::wrong_password) == 401);
  CHECK(code(Denial::throttled) == 401);
  CHECK(code(Denial::stale_nonce) == 438);
  CHECK(code(Denial::incomplete) == 400);
  CHECK(code(Denial::oversized) == 400);
  CHECK(code(Denial::bad_algorithms) == 400);
  CHECK(is_challenge(Denial::no_credentials));
  CHECK(is_challenge(Denial::stale_nonce));
  CHECK_FALSE(is_challenge(Denial::incomplete));
}

// --- The good case -------------------------------------------------------------------------------

TEST_CASE("who has the password is let in", "[auth][rfc8489-9.2.4][c20][c21]") {
  Desk desk;
  SECTION("as clients of RFC 5389 do, without naming an algorithm: MD5 and SHA-1") {
    CHECK(desk.passes());
    CHECK(desk.integrity == ResponseIntegrity::sha1);
  }
  SECTION("MD5 by name: SHA-256 with the MD5 key") {
    desk.named = PasswordAlgorithm::md5;
    CHECK(desk.passes());
    CHECK(desk.integrity == ResponseIntegrity::sha256);
  }
  SECTION("SHA-256 by name") {
    desk.named = PasswordAlgorithm::sha256;
    CHECK(desk.passes());
    CHECK(desk.integrity == ResponseIntegrity::sha256);
  }
  SECTION("by USERHASH") {
    desk.with_username = false;
    desk.with_userhash = true;
    desk.named = PasswordAlgorithm::sha256;
    CHECK(desk.passes());
  }
  CHECK(desk.known_as == "alice");
  CHECK(desk.account == "alice");
  CHECK(desk.is_signed_by_our_key);
}

TEST_CASE("a named algorithm with MESSAGE-INTEGRITY is answered as named",
          "[auth][rfc8489-9.2.4][c20]") {
  Desk desk;
  desk.named = PasswordAlgorithm::sha256;
  desk.sign_sha1 = true;
  CHECK(desk.passes());
  CHECK(desk.integrity == ResponseIntegrity::sha256);
  CHECK(desk.is_signed_by_our_key);
}

TEST_CASE("a challenge has realm, nonce and algorithms in order of preference",
          "[auth][rfc8489-9.2.4][c12][c15]") {
  Desk desk;
  CHECK(desk.realm == "example.org");
  CHECK(desk.nonce.starts_with("obMatJos2wAAD"));
  CHECK(to_hex(bytes_of(desk.offered)) == "0002000000010000");
}

TEST_CASE("anonymity is offered only where every user has a name in the book",
          "[auth][rfc8489-9.2.4][c15]") {
  CHECK(Desk{Wish{}}.nonce.starts_with("obMatJos2wAAD"));
  Wish with_secret;
  with_secret.secrets = {{"one", "north"}};
  CHECK(Desk{with_secret}.nonce.starts_with("obMatJos2gAAB"));
  with_secret.static_users = false;
  CHECK(Desk{with_secret}.nonce.starts_with("obMatJos2gAAB"));
  CHECK(Desk{{.static_users = false}}.nonce.starts_with("obMatJos2gAAB"));
  CHECK(Desk{{.asks_for_users = true}}.nonce.starts_with("obMatJos2gAAB"));
}

TEST_CASE("with another book anonymity is offered as suits that one", "[auth][c15]") {
  const CredentialBook with_secret{credentials({.secrets = {{"one", "north"}}})};
  const CredentialBook names_only{credentials({})};
  Desk desk;
  desk.authenticator().use(with_secret);
  desk.log_in();
  CHECK(desk.nonce.starts_with("obMatJos2gAAB"));
  desk.authenticator().use(names_only);
  desk.log_in();
  CHECK(desk.nonce.starts_with("obMatJos2wAAD"));
  CHECK(desk.passes());
}

// --- What is missing or too long -----------------------------------------------------------------

TEST_CASE("without integrity: 401", "[auth][rfc8489-9.2.4][c12][A01]") {
  Desk desk;
  desk.with_integrity = false;
  CHECK(desk.denial() == Denial::no_credentials);
}

TEST_CASE("integrity without name, realm or nonce is incomplete",
          "[auth][rfc8489-9.2.4][c14][A01][A07]") {
  Desk desk;
  SECTION("no name") { desk.with_username = false; }
  SECTION("no realm") { desk.with_realm = false; }
  SECTION("no nonce") { desk.with_nonce = false; }
  SECTION("both names") { desk.with_userhash = true; }
  CHECK(desk.denial() == Denial::incomplete);
  // Before anything else that may be wrong with it.
  desk.password = "guess";
  desk.now.instant += 10000s;
  CHECK(desk.denial() == Denial::incomplete);
}

TEST_CASE("texts up to 763 bytes are looked at, longer ones are a bad request",
          "[auth][rfc8489-14.3][c22][S06]") {
  Desk desk;
  const auto [size, is_oversized] = GENERATE(table<std::size_t, bool>(
      {{508, false}, {509, false}, {763, false}, {764, true}, {1400, true}}));
  SECTION("USERNAME") {
    desk.username.assign(size, 'u');
    CHECK(desk.denial() == (is_oversized ? Denial::oversized : Denial::unknown_user));
  }
  SECTION("REALM") {
    desk.realm.assign(size, 'r');
    CHECK(desk.denial() == (is_oversized ? Denial::oversized : Denial::wrong_password));
  }
  SECTION("NONCE") {
    desk.nonce.assign(size, 'n');
    CHECK(desk.denial() == (is_oversized ? Denial::oversized : Denial::stale_nonce));
  }
}

TEST_CASE("odd usernames are unknown users", "[auth][c17][S06]") {
  Desk desk;
  desk.username = GENERATE(as<std::string>{}, "", "nobody", "\xff\xfe", "alice\0"s, "alice\r\n",
                           "\x1b[2J", "%s%n", "ALICE", " alice");
  CHECK(desk.denial() == Denial::unknown_user);
}

TEST_CASE("a USERHASH that nobody has is an unknown user", "[auth][c17][A07]") {
  Desk desk;
  desk.with_username = false;
  desk.with_userhash = true;
  desk.username = "nobody";
  CHECK(desk.denial() == Denial::unknown_user);
}

// --- Password and nonce --------------------------------------------------------------------------

TEST_CASE("a wrong password is refused, whatever the algorithm",
          "[auth][rfc8489-9.2.4][c18][A02]") {
  Desk desk;
  desk.named = GENERATE(as<std::optional<PasswordAlgorithm>>{}, std::nullopt,
                        PasswordAlgorithm::md5, PasswordAlgorithm::sha256);
  desk.password = "guess";
  CHECK(desk.denial() == Denial::wrong_password);
  desk.password = "wonderland";
  CHECK(desk.passes());
}

TEST_CASE("another realm is another key", "[auth][rfc8489-9.2.4][c18]") {
  Desk desk;
  desk.realm = "example.com";
  CHECK(desk.denial() == Denial::wrong_password);
}

TEST_CASE("the nonce is looked at after the integrity", "[auth][rfc8489-9.2.4][c19][A03]") {
  Desk desk;
  SECTION("too old") { desk.now.instant += 601s; }
  SECTION("forged") { desk.nonce = "obMatJos2wAADAAAAAAAAAAAAAAAA"; }
  SECTION("empty") { desk.nonce.clear(); }
  SECTION("with feature bits flipped") { desk.nonce[9] = 'A'; }
  SECTION("of another address") { desk.from.address = IpAddress::v4(0xc6336408); }
  SECTION("of another port") { desk.from.port = 4001; }
  CHECK(desk.denial() == Denial::stale_nonce);
  desk.password = "guess";
  CHECK(desk.denial() == Denial::wrong_password);
  desk.username = "nobody";
  CHECK(desk.denial() == Denial::unknown_user);
  desk.username = "alice";
  desk.password = "wonderland";
  desk.log_in();
  CHECK(desk.passes());
}

// --- Guessing (docs/adr/0045) --------------------------------------------------------------------

namespace {

/// Nine wrong passwords: one less than is too many in a minute.
void guess_nine_times(Desk& desk) {
  const std::string right = std::exchange(desk.password, "guess");
  for (int i = 0; i < 9; ++i) CHECK(desk.denial() == Denial::wrong_password);
  desk.password = right;
}

void guess_ten_times(Desk& desk) {
  guess_nine_times(desk);
  const std::string right = std::exchange(desk.password, "guess");
  CHECK(desk.denial() == Denial::wrong_password);
  desk.password = right;
}

}  // namespace

TEST_CASE("who has guessed ten times gets no answer for a minute, not even to what is right",
          "[auth][A09]") {
  Desk desk;
  guess_ten_times(desk);
  CHECK(desk.denial() == Denial::throttled);
  SECTION("then he does") {
    desk.now.instant += 60s;
    CHECK(desk.passes());
  }
  SECTION("as another user he does") {
    desk.username = "nobody";
    CHECK(desk.denial() == Denial::unknown_user);
  }
  SECTION("others do") {
    desk.from.address = IpAddress::v4(0xc6336408);
    desk.log_in();
    CHECK(desk.passes());
  }
}

TEST_CASE("the right password in time takes the count back", "[auth][A09]") {
  Desk desk;
  for (int round = 0; round < 3; ++round) {
    guess_nine_times(desk);
    CHECK(desk.passes());
  }
}

TEST_CASE("guessing at who does not exist is counted as well, by either name", "[auth][A09]") {
  Desk desk;
  desk.with_userhash = GENERATE(false, true);
  desk.with_username = !desk.with_userhash;
  desk.username = "nobody";
  for (int i = 0; i < 10; ++i) CHECK(desk.denial() == Denial::unknown_user);
  CHECK(desk.denial() == Denial::throttled);
}

TEST_CASE("what is only too old is not guessed", "[auth][A09]") {
  Desk desk{{.secrets = {{"n", "north"}}}};
  mint(desk, -1000s, "carol", "north");
  for (int i = 0; i < 12; ++i) CHECK(desk.denial() == Denial::expired_user);
}

TEST_CASE("guesses with a nonce of somebody else's silence nobody", "[auth][A09]") {
  Desk desk;
  const std::string own = std::exchange(desk.nonce, "obMatJos2wAADAAAAAAAAAAAAAAAA");
  guess_ten_times(desk);
  // From here on the nonce is looked at first, so that nothing is learnt of the password.
  CHECK(desk.denial() == Denial::stale_nonce);
  desk.password = "guess";
  CHECK(desk.denial() == Denial::stale_nonce);
  desk.nonce = own;
  CHECK(desk.denial() == Denial::wrong_password);
  desk.password = "wonderland";
  CHECK(desk.passes());
}

TEST_CASE("who has an allocation is neither counted nor silenced on its five-tuple",
          "[auth][A09]") {
  Desk desk;
  SECTION("not counted") {
    desk.owner = "alice";
    guess_nine_times(desk);
    guess_nine_times(desk);
    desk.owner.clear();
  }
  SECTION("not silenced") {
    guess_ten_times(desk);
    desk.owner = "bob";
    CHECK(desk.denial() == Denial::throttled);
    desk.owner = "alice";
  }
  CHECK(desk.passes());
}

// --- Bidding down --------------------------------------------------------------------------------

TEST_CASE("algorithms that do not add up are refused", "[auth][rfc8489-9.2.4][c16][A05]") {
  Desk desk;
  desk.named = PasswordAlgorithm::md5;
  SECTION("the list is missing") { desk.with_list = false; }
  SECTION("the choice is missing") { desk.with_algorithm = false; }
  SECTION("the list lost the better one") { desk.offered = "\0\1\0\0"s; }
  SECTION("the list has another order") { desk.offered = "\0\1\0\0\0\2\0\0"s; }
  SECTION("the list has one more") { desk.offered += "\0\3\0\0"s; }
  SECTION("the list is empty") { desk.offered.clear(); }
  SECTION("the list is cut off") { desk.offered.resize(6); }
  SECTION("the choice is not in the list") { desk.named = static_cast<PasswordAlgorithm>(3); }
  CHECK(desk.denial() == Denial::bad_algorithms);
  // Before user, password and nonce are looked at.
  desk.username = "nobody";
  desk.now.instant += 10000s;
  CHECK(desk.denial() == Denial::bad_algorithms);
}

TEST_CASE("a server that offers SHA-256 only turns old clients away with a challenge",
          "[auth][A06]") {
  Wish wish;
  wish.algorithms = {PasswordAlgorithm::sha256};
  Desk desk{wish};
  CHECK(desk.denial() == Denial::no_credentials);
  desk.named = PasswordAlgorithm::md5;
  CHECK(desk.denial() == Denial::bad_algorithms);
  desk.named = PasswordAlgorithm::sha256;
  CHECK(desk.passes());
}

TEST_CASE("a server that offers MD5 only refuses SHA-256", "[auth][c16]") {
  Wish wish;
  wish.algorithms = {PasswordAlgorithm::md5};
  Desk desk{wish};
  CHECK(desk.passes());
  desk.named = PasswordAlgorithm::sha256;
  CHECK(desk.denial() == Denial::bad_algorithms);
}

// --- Time-limited users --------------------------------------------------------------------------

namespace {

Wish with_secrets() {
  Wish wish;
  wish.secrets = {{"new", "north"}, {"old", "south"}};
  return wish;
}

}  // namespace

TEST_CASE("a time-limited user passes under any of the secrets", "[auth][c78][A11]") {
  const auto secret = GENERATE(as<std::string>{}, "north", "south");
  const auto algorithm =
      GENERATE(as<std::optional<PasswordAlgorithm>>{}, std::nullopt, PasswordAlgorithm::sha256);
  Desk desk{with_secrets()};
  desk.named = algorithm;
  mint(desk, 3600s, "carol", secret);
  for (int i = 0; i < 3; ++i) {  // the second time from the cache
    CHECK(desk.passes());
    CHECK(desk.known_as == desk.username);
    CHECK(desk.account == "carol");
    CHECK(desk.is_signed_by_our_key);
  }
  desk.password = time_limited_password("east", desk.username);
  CHECK(desk.denial() == Denial::wrong_password);
}

TEST_CASE("only a time-limited name can be that of a room's member", "[auth]") {
  Wish wish = with_secrets();
  wish.user = "p_7Qk2-_9z@demo";
  Desk desk{wish};
  mint(desk, 3600s, wish.user, "north");
  CHECK(desk.passes());
  CHECK(desk.is_room_member);
  desk.username = wish.user;
  desk.password = "wonderland";
  CHECK(desk.passes());
  CHECK_FALSE(desk.is_room_member);
}

TEST_CASE("one username minted under two secrets passes with both passwords", "[auth][c78][A11]") {
  Desk desk{with_secrets()};
  for (int i = 0; i < 3; ++i) {
    mint(desk, 3600s, "carol", "south");
    CHECK(desk.passes());
    mint(desk, 3600s, "carol", "north");
    CHECK(desk.passes());
    CHECK(desk.is_signed_by_our_key);
  }
}

TEST_CASE("the cache never answers for another user or another password", "[auth][c78]") {
  Desk desk{with_secrets()};
  mint(desk, 3600s, "carol", "north");
  REQUIRE(desk.passes());
  const std::string good = desk.password;
  desk.password = "guess";
  CHECK(desk.denial() == Denial::wrong_password);
  mint(desk, 3600s, "dave", "north");
  desk.password = good;
  CHECK(desk.denial() == Denial::wrong_password);
}

TEST_CASE("more users than the cache holds all pass", "[auth][c78]") {
  Desk desk{with_secrets()};
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 50; ++i) {
      mint(desk, 3600s, std::to_string(i), i % 2 == 0 ? "north" : "south");
      CHECK(desk.passes());
    }
  }
}

TEST_CASE("a time-limited user is refused once the time is over, skew granted",
          "[auth][c78][A10]") {
  Desk desk{with_secrets()};
  mint(desk, 100s, "carol", "north");
  desk.now.wall += 130s;
  CHECK(desk.passes());
  desk.now.wall += 1s;
  CHECK(desk.denial() == Denial::expired_user);
  CHECK(desk.denial(ExpiryRule::only_end) == Denial::expired_user);
  CHECK(desk.passes(ExpiryRule::tolerate));
  desk.password = "guess";
  CHECK(desk.denial(ExpiryRule::tolerate) == Denial::wrong_password);
}

TEST_CASE("a time-limited user too far in the future is refused, unless for upkeep",
          "[auth][c78][A10]") {
  Desk desk{with_secrets()};
  mint(desk, 86400s + 30s, "carol", "north");
  CHECK(desk.passes());
  mint(desk, 86400s + 31s, "carol", "north");
  CHECK(desk.denial() == Denial::expired_user);
  CHECK(desk.passes(ExpiryRule::only_end));
  CHECK(desk.passes(ExpiryRule::tolerate));
}

TEST_CASE("malformed time-limited names are unknown users", "[auth][c78][A10]") {
  Desk desk{with_secrets()};
  desk.username =
      GENERATE(as<std::string>{}, "", ":carol", "0:carol", "-1800000100:carol", "+1800000100:carol",
               "01800000100:carol", "1800000100:", "1800000100 :carol", "carol:1800000100",
               "9223372036854775808:carol", "99999999999999999999:carol", "1800000100x:carol");
  desk.password = time_limited_password("north", desk.username);
  CHECK(desk.denial() == Denial::unknown_user);
}

TEST_CASE("a bare time is a user too", "[auth][c78][A10]") {
  Desk desk{with_secrets()};
  mint(desk, 100s, "", "north");
  CHECK(desk.passes());
  CHECK(desk.account == desk.username);
}

TEST_CASE("without secrets a time-limited name is an unknown user", "[auth][c78]") {
  Desk desk;
  mint(desk, 100s, "carol", "");
  CHECK(desk.denial() == Denial::unknown_user);
}

TEST_CASE("a static user whose name looks time-limited never expires", "[auth][c78]") {
  Wish wish = with_secrets();
  wish.user = "1700000000:alice";
  Desk desk{wish};
  desk.username = wish.user;
  CHECK(desk.passes());
  CHECK(desk.account == wish.user);
  mint(desk, -1000s, "alice", "north");
  CHECK(desk.denial() == Denial::expired_user);
}

TEST_CASE("a time-limited user may change the algorithm from request to request", "[auth][c78]") {
  Desk desk{with_secrets()};
  mint(desk, 3600s, "carol", GENERATE(as<std::string>{}, "north", "south"));
  for (int i = 0; i < 2; ++i) {
    for (const auto algorithm : {PasswordAlgorithm::md5, PasswordAlgorithm::sha256}) {
      desk.named = algorithm;
      CHECK(desk.passes());
      CHECK(desk.is_signed_by_our_key);
    }
  }
}

TEST_CASE("a denial for unknown and expired users comes whatever their integrity is",
          "[auth][c17]") {
  Desk desk{with_secrets()};
  mint(desk, -1000s, "carol", "north");
  desk.password = "guess";
  CHECK(desk.denial() == Denial::expired_user);
  desk.username = "nobody";
  CHECK(desk.denial() == Denial::unknown_user);
}

TEST_CASE("a name that is in no book is asked for, and judged by the answer", "[auth]") {
  Desk desk{{.asks_for_users = true}};
  CHECK(desk.passes());  // alice is in the book
  desk.username = "dora";
  desk.password = "explorer";
  CHECK(desk.wanted() == "dora");
  desk.named = GENERATE(std::optional<PasswordAlgorithm>{}, PasswordAlgorithm::md5,
                        PasswordAlgorithm::sha256);
  desk.answer("dora", "explorer", desk.now.instant + 60s, {.max_allocations = 3});
  CHECK(desk.passes());
  CHECK(desk.known_as == "dora");
  CHECK(desk.account == "dora");
  CHECK(desk.limits == UserLimits{.max_allocations = 3});
  CHECK(desk.is_signed_by_our_key);
  desk.password = "guess";
  CHECK(desk.denial() == Denial::wrong_password);
}

TEST_CASE("an answer holds until its time, and then the name is asked for again", "[auth]") {
  Desk desk{{.asks_for_users = true}};
  desk.username = "dora";
  desk.password = "explorer";
  desk.answer("dora", "explorer", desk.now.instant + 60s);
  desk.now.instant += 59s;
  CHECK(desk.passes());
  desk.now.instant += 1s;
  CHECK(desk.wanted() == "dora");
  desk.answer("dora", std::nullopt, desk.now.instant + 5s);
  CHECK(desk.denial() == Denial::unknown_user);
  desk.answer("dora", "explorer", desk.now.instant + 60s);
  CHECK(desk.passes());
  desk.authenticator().forget_answers();
  CHECK(desk.wanted() == "dora");
}

TEST_CASE("nobody is asked for because of a forged address", "[auth]") {
  Desk desk{{.asks_for_users = true}};
  desk.username = "dora";
  desk.from = Endpoint::parse("198.51.100.8:4000").value();  // the nonce is another's
  CHECK(desk.denial() == Denial::stale_nonce);
  desk.log_in();
  CHECK(desk.wanted() == "dora");
}

TEST_CASE("beside secrets, a name that looks time-limited is not asked for", "[auth]") {
  Desk desk{{.asks_for_users = true, .secrets = {{"n", "north"}}}};
  desk.username = "1800000100:carol";
  CHECK(desk.denial() == Denial::wrong_password);
  desk.username = "carol";
  CHECK(desk.wanted() == "carol");
}

TEST_CASE("a name that was revoked is refused until its credentials have run out", "[auth]") {
  CredentialSettings settings = credentials({.secrets = {{"n", "north"}}});
  const std::string carol = "1800000100:carol";
  const auto revoked = GENERATE(as<std::string>{}, "1800000100:carol", "carol", "alice");
  const bool is_account = revoked != carol;
  settings.revocations = {{revoked, is_account, wall + 200s}, {revoked, is_account, wall + 50s}};
  const CredentialBook book{settings};
  Desk desk{{.secrets = {{"n", "north"}}}};
  desk.authenticator().use(book);
  if (revoked != "alice") {
    desk.username = carol;
    desk.password = time_limited_password("north", carol);
  }
  CHECK(desk.denial() == Denial::revoked_user);
  desk.now.wall += 199s;
  CHECK(desk.denial(ExpiryRule::tolerate) == Denial::revoked_user);
  desk.now.wall += 1s;
  CHECK(desk.passes(ExpiryRule::tolerate));
}

TEST_CASE("a revoked username leaves others of its account alone", "[auth]") {
  CredentialSettings settings = credentials({.secrets = {{"n", "north"}}});
  settings.revocations = {{"1800000100:carol", false, wall + 200s}, {"carol", false, wall + 200s}};
  const CredentialBook book{settings};
  Desk desk{{.secrets = {{"n", "north"}}}};
  desk.authenticator().use(book);
  desk.username = "1800000050:carol";
  desk.password = time_limited_password("north", desk.username);
  CHECK(desk.passes());
}

TEST_CASE("with another book other secrets hold, and the old ones at once no more", "[auth]") {
  Desk desk{{.secrets = {{"n", "north"}}}};
  desk.username = "1800000100:carol";
  desk.password = time_limited_password("north", desk.username);
  CHECK(desk.passes());  // and its key is kept
  const CredentialBook book{credentials({.secrets = {{"s", "south"}}})};
  desk.authenticator().use(book);
  CHECK(desk.denial() == Denial::wrong_password);
  desk.password = time_limited_password("south", desk.username);
  CHECK(desk.passes());
}

}  // namespace turnpike::auth
