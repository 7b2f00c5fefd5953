// The checks that wait, against a server on loopback that forgets nothing: they must be able to
// fail.
#include <algorithm>

#include "auth/credentials.h"
#include "conformance/fake_server.h"
#include "conformance/runner.h"
#include "stun/integrity.h"

using namespace turnpike;
using namespace turnpike::conformance;
using stun::AttributeType;
using stun::Method;

namespace {

const Check& check_named(std::string_view name) {
  const auto all = catalogue();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Check& check) { return check.name == name; });
  REQUIRE(found != all.end());
  return *found;
}

/// A success that is signed for `user` as RFC 5389 does it, with an address to have relayed.
Bytes sign(ByteView request, const User& user, stun::Class message_class) {
  return respond(request, message_class, [&](stun::MessageBuilder& message) {
    const Endpoint relayed{*IpAddress::parse("127.0.0.1"), 50000};
    message.put_xor_address(AttributeType::xor_relayed_address, relayed);
    message.put_lifetime(seconds{600});
    const stun::IntegrityKey key{
        auth::long_term_key(stun::PasswordAlgorithm::md5, user.name, "example.org", user.password)};
    message.put_message_integrity(key.sha1);
  });
}

Bytes challenge(ByteView request, stun::ErrorCode code) {
  return respond(request, stun::Class::error, [&](stun::MessageBuilder& message) {
    message.put_error_code(code);
    message.put_text(AttributeType::realm, "example.org");
    message.put_text(AttributeType::nonce, code == stun::ErrorCode::stale_nonce ? "new" : "old");
  });
}

std::string text_in(ByteView request, AttributeType type) {
  const auto value = stun::MessageView::parse(request)->find(type);
  return value ? std::string{text_of(*value)} : std::string{};
}

}  // namespace

TEST_CASE("a nonce that never expires is found", "[conformance]") {
  const bool expires = GENERATE(false, true);
  const User user{"user", "password"};
  std::atomic<int> refreshes = 0;
  const FakeServer server{[&](ByteView request) {
    if (method_of(request) == Method::binding) return succeed(request);
    const std::string nonce = text_in(request, AttributeType::nonce);
    if (nonce.empty()) return challenge(request, stun::ErrorCode::unauthenticated);
    const bool is_old = method_of(request) == Method::refresh && nonce == "old" && ++refreshes > 1;
    if (expires && is_old) return challenge(request, stun::ErrorCode::stale_nonce);
    return sign(request, user, stun::Class::success);
  }};
  Settings settings = server.settings();
  settings.nonce_lifetime = seconds{-5};  // and five of grace: at once
  SecureRandom random;
  const auto result = run_check(check_named("nonce-expires-within-an-hour"), settings, random);
  CHECK(result.outcome.status == (expires ? Status::passed : Status::warned));
}

TEST_CASE("an allocation that ends with its credential is found", "[conformance]") {
  const bool outlives = GENERATE(false, true);
  const std::string secret = "a secret of the test";
  std::atomic<int> allocations = 0;
  const FakeServer server{[&](ByteView request) {
    if (method_of(request) == Method::binding) return succeed(request);
    const std::string name = text_in(request, AttributeType::username);
    if (name.empty()) return challenge(request, stun::ErrorCode::unauthenticated);
    const User user{name, auth::time_limited_password(secret, name)};
    const bool is_over = method_of(request) == Method::allocate ? ++allocations > 1 : !outlives;
    if (is_over) return challenge(request, stun::ErrorCode::unauthenticated);
    return sign(request, user, stun::Class::success);
  }};
  Settings settings = server.settings();
  settings.secret = secret;
  SecureRandom random;
  const auto result = run_check(check_named("refresh-outlives-the-credential"), settings, random);
  CHECK(result.outcome.status == (outlives ? Status::passed : Status::warned));
}

TEST_CASE("what needs a secret or an hour is not tried without", "[conformance]") {
  const FakeServer server{[](ByteView request) { return succeed(request); }};
  const Settings settings = server.settings();
  SecureRandom random;
  for (const std::string_view name :
       {"nonce-expires-within-an-hour", "expired-credential-is-401"}) {
    CHECK(run_check(check_named(name), settings, random).outcome.status == Status::not_tried);
  }
}
