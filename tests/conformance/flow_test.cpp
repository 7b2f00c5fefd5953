// Asking and silence, against a server on loopback. The waits are short; nothing timed is asserted.
#include "conformance/flow.h"

#include "conformance/fake_server.h"
#include "stun/integrity.h"

using namespace turnpike;
using namespace turnpike::conformance;
using stun::Method;

TEST_CASE("a request that is lost is sent again", "[conformance]") {
  std::atomic<int> refreshes = 0;
  const FakeServer server{[&](ByteView request) {
    if (method_of(request) == Method::refresh && ++refreshes == 1) return Bytes{};
    return succeed(request);
  }};
  const Settings settings = server.settings();
  SecureRandom random;
  Session session{settings, random};
  Flow& flow = session.open();
  const auto reply = flow.ask(flow.build_request(Method::refresh));
  REQUIRE(reply);
  CHECK(reply->is_success());
  CHECK(refreshes >= 2);
}

TEST_CASE("a server that answers other requests is silent, not dead", "[conformance]") {
  const FakeServer server{[](ByteView request) {
    return method_of(request) == Method::binding ? succeed(request) : Bytes{};
  }};
  const Settings settings = server.settings();
  SecureRandom random;
  Session session{settings, random};
  Flow& flow = session.open();
  CHECK_FALSE(flow.ask(flow.build_request(Method::refresh)));
  const Outcome outcome = ended([&] { static_cast<void>(flow.request_unsigned(Method::refresh)); });
  CHECK(outcome.status == Status::failed);
  CHECK(outcome.got == "silence");
}

TEST_CASE("a server that answers nothing at all fails the check", "[conformance]") {
  const FakeServer server{[](ByteView) { return Bytes{}; }};
  const Settings settings = server.settings();
  SecureRandom random;
  Session session{settings, random};
  Flow& flow = session.open();
  const Outcome outcome =
      ended([&] { static_cast<void>(flow.ask(flow.build_request(Method::refresh))); });
  CHECK(outcome.status == Status::failed);
}

TEST_CASE("the fence tells silence from an answer", "[conformance]") {
  std::atomic<bool> talks = false;
  const FakeServer server{[&](ByteView datagram) {
    const bool is_request = stun::MessageView::parse(datagram).has_value();
    if (is_request) return succeed(datagram);
    return talks ? Bytes{0x40, 0, 0, 0} : Bytes{};
  }};
  const Settings settings = server.settings();
  SecureRandom random;
  Session session{settings, random};
  Flow& flow = session.open();
  const Bytes garbage{0xff, 1, 2, 3};
  CHECK(ended([&] { flow.expect_silence(garbage, "garbage"); }).status == Status::passed);
  talks = true;
  const Outcome outcome = ended([&] { flow.expect_silence(garbage, "garbage"); });
  CHECK(outcome.status == Status::failed);
  CHECK(outcome.expected == "silence after garbage");
  CHECK(outcome.got == "4 bytes 40000000");
}

TEST_CASE("an answer that is no STUN message fails the check", "[conformance]") {
  const FakeServer server{[](ByteView request) {
    Bytes answer =
        respond(request, stun::Class::success, [](auto& message) { message.put_fingerprint(); });
    answer.back() ^= 1;
    return answer;
  }};
  const Settings settings = server.settings();
  SecureRandom random;
  Session session{settings, random};
  Flow& flow = session.open();
  const Outcome outcome = ended([&] { static_cast<void>(flow.request_unsigned(Method::binding)); });
  CHECK(outcome.expected == "a valid STUN message");
}

namespace {

/// Challenges, then answers with what `sign` puts.
template <class Sign>
Bytes challenge_or(ByteView request, Sign sign) {
  const auto view = stun::MessageView::parse(request);
  if (view->method() == Method::binding) return succeed(request);
  if (!view->message_integrity()) {
    return respond(request, stun::Class::error, [](stun::MessageBuilder& message) {
      message.put_error_code(stun::ErrorCode::unauthenticated)
          .put_text(stun::AttributeType::realm, "realm")
          .put_text(stun::AttributeType::nonce, "nonce");
    });
  }
  return respond(request, stun::Class::success, sign);
}

stun::IntegrityKey key_for(std::string_view password) {
  return stun::IntegrityKey{
      auth::long_term_key(stun::PasswordAlgorithm::md5, "user", "realm", password)};
}

}  // namespace

TEST_CASE("a success must be signed, and with the right key", "[conformance][c20]") {
  std::atomic<int> manner = 0;
  const FakeServer server{[&](ByteView request) {
    return challenge_or(request, [&](stun::MessageBuilder& message) {
      if (manner == 1) message.put_message_integrity(key_for("wrong").sha1);
      if (manner == 2) message.put_message_integrity(key_for("password").sha1);
    });
  }};
  const Settings settings = server.settings();
  SecureRandom random;
  const auto refresh = [&] {
    return ended([&] {
      Session session{settings, random};
      static_cast<void>(session.open().request(Method::refresh));
    });
  };
  CHECK(refresh().expected == "MESSAGE-INTEGRITY in the response");
  manner = 1;
  CHECK(refresh().expected == "an integrity attribute that matches the key");
  manner = 2;
  CHECK(refresh().status == Status::passed);
}

TEST_CASE("without a user whatever needs one is not tried", "[conformance]") {
  const FakeServer server{[](ByteView request) { return succeed(request); }};
  Settings settings = server.settings();
  settings.user.reset();
  SecureRandom random;
  Session session{settings, random};
  Flow& flow = session.open();
  const Outcome outcome = ended([&] { static_cast<void>(flow.request(Method::refresh)); });
  CHECK(outcome.status == Status::not_tried);
  FlowOptions second;
  second.as_second_user = true;
  CHECK(ended([&] { session.open(second); }).status == Status::not_tried);
}

TEST_CASE("no client address is used twice in a run", "[conformance]") {
  const FakeServer server{[](ByteView request) { return succeed(request); }};
  const Settings settings = server.settings();
  SecureRandom random;
  for (int i = 0; i < 5; ++i) {
    Session session{settings, random};
    session.open();
  }
  CHECK(settings.used_addresses->size() == 5);
}
