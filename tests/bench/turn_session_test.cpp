#include "bench/turn_session.h"

#include "base/seeded_random.h"
#include "catch.h"
#include "stun/attributes.h"
#include "stun/builder.h"
#include "stun/integrity.h"

using namespace turnpike;
using namespace std::chrono_literals;
using bench::Framing;
using bench::SessionFailure;
using bench::TurnSession;
using stun::AttributeType;
using stun::Method;
using Bytes = std::vector<std::uint8_t>;
using Step = TurnSession::Step;

namespace {

constexpr Instant start{1h};
const Endpoint relayed{IpAddress::v4(0xc6336407), 50'000};
const Endpoint peer{IpAddress::v4(0xc0000201), 4000};

stun::MessageView view_of(ByteView bytes) {
  const auto view = stun::MessageView::parse(bytes);
  REQUIRE(view);
  return *view;
}

template <class Fill>
Bytes respond(ByteView request, stun::Class message_class, Fill fill) {
  const auto view = view_of(request);
  Bytes buffer(1024);
  stun::MessageBuilder builder{buffer, message_class, view.method(), view.transaction_id()};
  fill(builder);
  buffer.resize(builder.bytes().size());
  return buffer;
}

Bytes challenge(ByteView request, stun::ErrorCode code = stun::ErrorCode::unauthenticated,
                std::string_view nonce = "a nonce") {
  return respond(request, stun::Class::error, [&](stun::MessageBuilder& message) {
    message.put_error_code(code)
        .put_text(AttributeType::realm, "example.org")
        .put_text(AttributeType::nonce, nonce);
  });
}

Bytes refuse(ByteView request, stun::ErrorCode code) {
  return respond(request, stun::Class::error,
                 [&](stun::MessageBuilder& message) { message.put_error_code(code); });
}

Bytes succeed(ByteView request) {
  return respond(request, stun::Class::success, [](stun::MessageBuilder& message) {
    message.put_xor_address(AttributeType::xor_relayed_address, relayed);
  });
}

/// A session, and what is done with it.
struct Client {
  test::SeededRandom random{1};
  TurnSession session{7, client::LongTermClient{"alice", "secret"}, random};

  [[nodiscard]] stun::MessageView request() const { return view_of(session.request()); }
  Step take(const Bytes& response) { return session.on_message(view_of(response), start); }
  void allocate() {
    session.begin_allocate(true, Family::ipv4, start);
    REQUIRE(take(challenge(session.request())) == Step::send);
    REQUIRE(take(succeed(session.request())) == Step::done);
  }
};

bool is_signed_by_alice(const stun::MessageView& request) {
  const auto key =
      auth::long_term_key(stun::PasswordAlgorithm::md5, "alice", "example.org", "secret");
  return stun::verify_message_integrity(request, HmacSha1Key{key});
}

}  // namespace

TEST_CASE("an allocation is asked for as a stranger, and again with credentials", "[bench]") {
  Client alice;
  alice.session.begin_allocate(true, Family::ipv4, start);
  CHECK(alice.request().method() == Method::allocate);
  CHECK(alice.request().has(AttributeType::requested_transport));
  CHECK_FALSE(alice.request().has(AttributeType::username));
  CHECK(alice.take(challenge(alice.session.request())) == Step::send);
  CHECK(is_signed_by_alice(alice.request()));
  CHECK_FALSE(alice.session.has_allocation());
  CHECK(alice.take(succeed(alice.session.request())) == Step::done);
  CHECK(alice.session.has_allocation());
  CHECK(alice.session.relayed() == relayed);
  CHECK_FALSE(alice.session.is_busy());
}

TEST_CASE("every transaction id carries the session's number and is another", "[bench]") {
  Client alice;
  alice.session.begin_binding(start);
  const auto first = alice.request().transaction_id();
  CHECK(bench::session_number(first) == 7);
  alice.session.begin_binding(start);
  CHECK(alice.request().transaction_id() != first);
}

TEST_CASE("a message is for the session in its transaction id, if there is such a one", "[bench]") {
  Client alice;
  alice.session.begin_binding(start);
  const Bytes answer = succeed(alice.session.request());
  CHECK_FALSE(bench::message_to_session(answer, 7));
  const auto found = bench::message_to_session(answer, 8);
  REQUIRE(found);
  CHECK(found->session == 7);
  CHECK(found->message.method() == Method::binding);
  CHECK_FALSE(bench::message_to_session(ByteView{answer}.first(answer.size() - 1), 8));
  CHECK_FALSE(bench::message_to_session(bytes_of("\x40\x01 ChannelData"), 8));
}

TEST_CASE("a refresh says no lifetime, so that the server's holds", "[bench]") {
  Client alice;
  alice.allocate();
  alice.session.begin_refresh(start);
  CHECK(alice.request().method() == Method::refresh);
  CHECK_FALSE(alice.request().has(AttributeType::lifetime));
  CHECK(is_signed_by_alice(alice.request()));
  CHECK(alice.take(succeed(alice.session.request())) == Step::done);
  CHECK(alice.session.has_allocation());
}

TEST_CASE("a peer is bound by a channel or a permission, as the framing needs", "[bench]") {
  Client alice;
  alice.allocate();
  alice.session.begin_bind(Framing::channel, peer, start);
  CHECK(alice.request().method() == Method::channel_bind);
  CHECK(is_signed_by_alice(alice.request()));
  const auto number = alice.request().find(AttributeType::channel_number);
  REQUIRE(number);
  CHECK(stun::decode_channel_number(*number)->value == bench::channel_number);
  const auto address = alice.request().find(AttributeType::xor_peer_address);
  REQUIRE(address);
  CHECK(stun::decode_xor_address(*address, alice.request().transaction_id()) == peer);
  CHECK(alice.take(succeed(alice.session.request())) == Step::done);
  alice.session.begin_bind(Framing::indication, peer, start);
  CHECK(alice.request().method() == Method::create_permission);
}

TEST_CASE("deleting is a Refresh with lifetime 0", "[bench]") {
  Client alice;
  alice.allocate();
  alice.session.begin_delete(start);
  CHECK(alice.request().method() == Method::refresh);
  const auto lifetime = alice.request().find(AttributeType::lifetime);
  REQUIRE(lifetime);
  CHECK(stun::decode_lifetime(*lifetime) == 0s);
  CHECK(alice.take(succeed(alice.session.request())) == Step::done);
  CHECK_FALSE(alice.session.has_allocation());
}

TEST_CASE("a stale nonce is replaced, and a server that is never content is left", "[bench]") {
  Client alice;
  alice.allocate();
  alice.session.begin_delete(start);
  const auto stale = [&] {
    return challenge(alice.session.request(), stun::ErrorCode::stale_nonce, "another");
  };
  CHECK(alice.take(stale()) == Step::send);
  CHECK(text_of(*alice.request().find(AttributeType::nonce)) == "another");
  CHECK(alice.take(stale()) == Step::send);
  CHECK(alice.take(stale()) == Step::send);
  CHECK(alice.take(stale()) == Step::failed);
  CHECK(alice.session.failure().kind == SessionFailure::Kind::refused);
}

TEST_CASE("the longest realm and nonce there may be fit into a request", "[bench]") {
  Client client;
  client.session.begin_allocate(true, Family::ipv4, start);
  const std::string longest(763, 'x');
  Bytes buffer(2048);
  stun::MessageBuilder builder{buffer, stun::Class::error, Method::allocate,
                               client.request().transaction_id()};
  builder.put_error_code(stun::ErrorCode::unauthenticated)
      .put_text(AttributeType::realm, longest)
      .put_text(AttributeType::nonce, longest);
  buffer.resize(builder.bytes().size());
  REQUIRE(client.take(buffer) == Step::send);
  CHECK(text_of(client.request().find(AttributeType::realm).value()) == longest);
  CHECK(text_of(client.request().find(AttributeType::nonce).value()) == longest);
}

TEST_CASE("a second challenge to the same credentials means that they are wrong", "[bench]") {
  Client alice;
  alice.session.begin_allocate(true, Family::ipv4, start);
  CHECK(alice.take(challenge(alice.session.request())) == Step::send);
  CHECK(alice.take(challenge(alice.session.request())) == Step::failed);
  CHECK(alice.session.failure().kind == SessionFailure::Kind::credentials);
}

TEST_CASE("a refusal fails with the server's words", "[bench]") {
  Client alice;
  alice.session.begin_allocate(true, Family::ipv4, start);
  const auto code = stun::ErrorCode::allocation_quota_reached;
  CHECK(alice.take(refuse(alice.session.request(), code)) == Step::failed);
  CHECK(alice.session.failure().kind == SessionFailure::Kind::refused);
  CHECK(alice.session.failure().text == "Allocate: 486 Allocation Quota Reached");
}

TEST_CASE("a success without a relayed address is nonsense", "[bench]") {
  Client alice;
  alice.session.begin_allocate(true, Family::ipv4, start);
  const Bytes empty = respond(alice.session.request(), stun::Class::success, [](auto&) {});
  CHECK(alice.take(empty) == Step::failed);
  CHECK(alice.session.failure().kind == SessionFailure::Kind::nonsense);
}

TEST_CASE("a request is sent again and then given up", "[bench]") {
  Client alice;
  alice.session.begin_binding(start);
  const Bytes request{alice.session.request().begin(), alice.session.request().end()};
  CHECK(alice.session.on_deadline(start) == Step::wait);
  Step step = Step::wait;
  for (int i = 0; i < 100 && step != Step::failed; ++i) {
    REQUIRE(alice.session.next_deadline());
    step = alice.session.on_deadline(*alice.session.next_deadline());
    if (step == Step::send) {
      CHECK(Bytes{alice.session.request().begin(), alice.session.request().end()} == request);
    }
  }
  CHECK(step == Step::failed);
  CHECK(alice.session.failure().kind == SessionFailure::Kind::silence);
  CHECK(alice.session.retransmissions() == 3);
}

TEST_CASE("answers to other requests are ignored", "[bench]") {
  Client alice;
  alice.session.begin_binding(start);
  const Bytes old{alice.session.request().begin(), alice.session.request().end()};
  alice.session.begin_binding(start);
  CHECK(alice.take(succeed(old)) == Step::wait);
  CHECK(alice.session.is_busy());
  CHECK(alice.take(succeed(alice.session.request())) == Step::done);
  CHECK(alice.take(succeed(alice.session.request())) == Step::wait);
}
