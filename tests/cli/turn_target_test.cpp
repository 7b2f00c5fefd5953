#include "cli/turn_target.h"

#include "catch.h"
#include "cli/host_port.h"

using namespace turnpike;
using cli::parse_turn_target;
using cli::TurnTarget;

namespace {

TurnTarget target(std::string_view text) {
  const auto parsed = parse_turn_target(text);
  CAPTURE(text);
  REQUIRE(parsed);
  return *parsed;
}

}  // namespace

TEST_CASE("turn: and turns: URIs name host, port and transport", "[cli][c77]") {
  CHECK(target("turn:example.org") == TurnTarget{"example.org", 3478, false, Transport::udp, true});
  CHECK(target("turn:example.org?transport=tcp").transport == Transport::tcp);
  CHECK(target("turns:example.org") ==
        TurnTarget{"example.org", 5349, false, Transport::tls, true});
  CHECK(target("turns:example.org:443?transport=tcp") ==
        TurnTarget{"example.org", 443, true, Transport::tls, true});
  CHECK(target("turns:example.org?transport=udp").transport == Transport::dtls);
  CHECK(target("turn:[2001:db8::1]:3479").host == "2001:db8::1");
}

TEST_CASE("stun: URIs and plain hosts are targets too", "[cli][c77]") {
  CHECK_FALSE(target("stun:example.org").relays);
  CHECK(target("stuns:example.org").transport == Transport::tls);
  CHECK(target("192.0.2.1:3479") == TurnTarget{"192.0.2.1", 3479, true, Transport::udp, true});
}

TEST_CASE("what RFC 7064 and RFC 7065 do not know is refused", "[cli][c77]") {
  CHECK_FALSE(parse_turn_target("turn://example.org"));
  CHECK_FALSE(parse_turn_target("stun:example.org?transport=udp"));
  CHECK_FALSE(parse_turn_target("turn:example.org?transport=sctp"));
  CHECK_FALSE(parse_turn_target("turn:example.org?x=y"));
  CHECK_FALSE(parse_turn_target("example.org?transport=tcp"));
  CHECK_FALSE(parse_turn_target("turn:"));
  CHECK_FALSE(parse_turn_target("turn:example.org:0"));
}

TEST_CASE("the corrected URI of a refusal has no control characters either", "[cli]") {
  for (const std::string& refusal : {parse_turn_target("turn://example.org\n").error(),
                                     cli::parse_stun_target("stun://example.org\n").error()}) {
    CAPTURE(refusal);
    CHECK(refusal.find("has slashes") != std::string::npos);
    CHECK(refusal.find('\n') == std::string::npos);
  }
}
