#include "server/poll_token.h"

#include "catch.h"
#include "net/poller.h"

namespace turnpike::server {
namespace {

constexpr std::uint32_t generation_max = 0x1fffffff;

}  // namespace

TEST_CASE("a token says kind, generation and slot", "[server]") {
  const auto kind = GENERATE(PollKind::udp_listener, PollKind::stream_listener, PollKind::relay,
                             PollKind::session, PollKind::tcp_relay, PollKind::bridge_peer,
                             PollKind::bridge_client);
  const auto generation = GENERATE(0U, 1U, 0x12345678U, generation_max);
  const auto slot = GENERATE(0U, 1U, 0x9abcdef0U, 0xffffffffU);
  const PollToken token = PollToken::of(PollToken{kind, generation, slot}.value());
  CHECK(token.kind == kind);
  CHECK(token.generation == generation);
  CHECK(token.slot == slot);
}

TEST_CASE("tokens that differ anywhere are different", "[server]") {
  const PollToken token{PollKind::relay, 7, 9};
  CHECK(token == PollToken{PollKind::relay, 7, 9});
  CHECK(token != PollToken{PollKind::session, 7, 9});
  CHECK(token != PollToken{PollKind::relay, 8, 9});
  CHECK(token != PollToken{PollKind::relay, 7, 8});
}

TEST_CASE("a generation that has grown out of its bits begins again and spoils nothing",
          "[server]") {
  const PollToken token{PollKind::relay, generation_max + 1, 9};
  CHECK(token == PollToken{PollKind::relay, 0, 9});
  CHECK(PollToken{PollKind::udp_listener, 0xffffffff, 0} ==
        PollToken{PollKind::udp_listener, generation_max, 0});
  CHECK(PollToken::of(token.value()).kind == PollKind::relay);
}

TEST_CASE("no kind of descriptor could be mistaken for a wake", "[server]") {
  const auto kind = PollToken::of(net::Poller::wake_token).kind;
  CHECK(kind > PollKind::bridge_client);
}

TEST_CASE("a session stands in for a listener and is told from one", "[server]") {
  for (const std::uint32_t slot : {0U, 1U, 0x7fffffffU}) {
    CHECK(session_of(listener_of_session(slot)) == slot);
    CHECK_FALSE(session_of(turn::ListenerId{slot}));
  }
}

TEST_CASE("listener ids tell sockets, stream sessions and DTLS sessions apart", "[server]") {
  const auto slot = GENERATE(0U, 1U, 12345U, 0x3fffffffU);
  CHECK(dtls_session_of(listener_of_dtls_session(slot)) == slot);
  CHECK_FALSE(session_of(listener_of_dtls_session(slot)).has_value());
  CHECK_FALSE(dtls_session_of(listener_of_session(slot)).has_value());
  CHECK_FALSE(dtls_session_of(turn::ListenerId{slot}).has_value());
}

}  // namespace turnpike::server
