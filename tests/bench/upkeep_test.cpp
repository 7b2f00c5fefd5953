#include "bench/upkeep.h"

#include <deque>

#include "base/seeded_random.h"
#include "catch.h"
#include "stun/builder.h"

using namespace turnpike;
using namespace std::chrono_literals;
using bench::Framing;
using bench::TurnSession;
using stun::Method;
using Bytes = std::vector<std::uint8_t>;

namespace {

constexpr Instant start{1h};
constexpr nanoseconds period{10s};
const Endpoint peer{IpAddress::v4(0xc0000201), 4000};

template <class Fill>
Bytes respond(ByteView request, stun::Class message_class, Fill&& fill) {
  const auto view = stun::MessageView::parse(request).value();
  Bytes buffer(1024);
  stun::MessageBuilder builder{buffer, message_class, view.method(), view.transaction_id()};
  fill(builder);
  buffer.resize(builder.bytes().size());
  return buffer;
}

/// A client that has been challenged and has its allocation.
TurnSession allocated(std::uint32_t number, Random& random) {
  TurnSession session{number, client::LongTermClient{"alice", "secret"}, random};
  const auto take = [&](stun::Class message_class, auto&& fill) {
    const Bytes response = respond(session.request(), message_class, fill);
    return session.on_message(stun::MessageView::parse(response).value(), start);
  };
  session.begin_allocate(true, Family::ipv4, start);
  REQUIRE(take(stun::Class::error, [](stun::MessageBuilder& challenge) {
            challenge.put_error_code(stun::ErrorCode::unauthenticated)
                .put_text(stun::AttributeType::realm, "example.org")
                .put_text(stun::AttributeType::nonce, "a nonce");
          }) == TurnSession::Step::send);
  REQUIRE(take(stun::Class::success, [](stun::MessageBuilder& success) {
            success.put_xor_address(stun::AttributeType::xor_relayed_address, peer);
          }) == TurnSession::Step::done);
  return session;
}

/// Keeps what is sent.
class Ways final : public bench::Links {
 public:
  MutableByteView add(std::size_t client, std::size_t bytes, std::size_t /*each*/) override {
    sent.emplace_back(client, Bytes(bytes));
    return sent.back().second;
  }
  void flush() override {}
  bool receive(bench::MessageSink& /*sink*/) override { return false; }
  void renew(std::size_t /*client*/) override {}
  [[nodiscard]] int descriptor() const override { return -1; }

  std::deque<std::pair<std::size_t, Bytes>> sent;
};

/// Four clients that have their allocations kept.
struct Kept {
  test::SeededRandom random{1};
  Ways ways;
  std::vector<TurnSession> sessions = make_sessions();
  bench::Upkeep upkeep{
      Framing::channel, period, sessions, std::vector<Endpoint>(4, peer), ways, start};

  std::vector<TurnSession> make_sessions() {
    std::vector<TurnSession> made;
    for (std::uint32_t i = 0; i < 4; ++i) made.push_back(allocated(i, random));
    return made;
  }
  /// Whose the next request is, and what it asks for.
  std::pair<std::size_t, Method> next() {
    REQUIRE_FALSE(ways.sent.empty());
    const auto& [client, bytes] = ways.sent.front();
    return {client, stun::MessageView::parse(bytes).value().method()};
  }
  void answer(stun::Class message_class, Instant now) {
    const Bytes request = ways.sent.front().second;
    ways.sent.pop_front();
    const bool is_error = message_class == stun::Class::error;
    const Bytes response = respond(request, message_class, [&](stun::MessageBuilder& message) {
      if (is_error) message.put_error_code(stun::ErrorCode::allocation_mismatch);
    });
    upkeep.on_message(response, now);
  }
};

using Asked = std::pair<std::size_t, Method>;

}  // namespace

TEST_CASE("clients have their turns spread over the period: the allocation, then the peer",
          "[bench]") {
  Kept kept;
  kept.upkeep.on_tick(start);
  CHECK(kept.ways.sent.empty());
  for (std::size_t turn = 0; turn < 8; ++turn) {
    CAPTURE(turn);
    const Instant now = start + (turn + 1) * period / 4;
    kept.upkeep.on_tick(now);
    CHECK(kept.next() == Asked{turn % 4, Method::refresh});
    kept.answer(stun::Class::success, now);
    CHECK(kept.next() == Asked{turn % 4, Method::channel_bind});
    kept.answer(stun::Class::success, now);
    CHECK(kept.ways.sent.empty());
    CHECK(kept.upkeep.counts().done == turn + 1);
  }
  CHECK(kept.upkeep.counts().failed == 0);
  CHECK(kept.upkeep.counts().sent_again == 0);
}

TEST_CASE("an allocation that is refused is counted, and why the first was", "[bench]") {
  Kept kept;
  kept.upkeep.on_tick(start + period / 4);
  kept.answer(stun::Class::error, start + period / 4);
  CHECK(kept.upkeep.counts().failed == 1);
  CHECK(kept.upkeep.counts().failure == "Refresh: 437 Allocation Mismatch");
  CHECK(kept.upkeep.counts().done == 0);
}

TEST_CASE("what is not answered is sent again, and given up in the end", "[bench]") {
  Kept kept;
  kept.upkeep.on_tick(start + period / 4);
  for (nanoseconds passed{0}; passed < period / 4 - 1ms; passed += 20ms) {
    kept.upkeep.on_tick(start + period / 4 + passed);
  }
  CHECK(kept.upkeep.counts().sent_again == 3);
  kept.upkeep.on_tick(start + period);
  CHECK(kept.upkeep.counts().failed >= 1);
  CHECK(kept.upkeep.counts().failure == "Refresh: no answer");
}

TEST_CASE("what is no answer to a refresh means nothing", "[bench]") {
  Kept kept;
  kept.upkeep.on_tick(start + period / 4);
  kept.upkeep.on_message(Bytes(100, 0x40), start);
  kept.upkeep.on_message(Bytes(20, 0), start);
  Bytes buffer(100);
  stun::TransactionId of_nobody{};
  of_nobody.back() = 99;
  stun::MessageBuilder other{buffer, stun::Class::success, Method::refresh, of_nobody};
  kept.upkeep.on_message(other.bytes(), start);
  CHECK(kept.ways.sent.size() == 1);
  CHECK(kept.upkeep.counts().done == 0);
}
