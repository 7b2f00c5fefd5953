#include "signaling/call_path.h"

#include "catch.h"

namespace turnpike::signaling::test {

TEST_CASE("a report says which way the call took", "[signaling]") {
  const auto path = [](std::string_view local, std::string_view remote,
                       std::string_view relay_protocol = "") -> std::string_view {
    const auto taken = classify_path({local, remote, relay_protocol});
    return taken ? to_string(*taken) : "nothing";
  };
  CHECK(path("host", "host") == "direct");
  CHECK(path("host", "srflx") == "nat");
  CHECK(path("prflx", "host") == "nat");
  CHECK(path("relay", "srflx", "udp") == "relayed-udp");
  CHECK(path("relay", "host") == "relayed-udp");
  CHECK(path("relay", "srflx", "tcp") == "relayed-tcp");
  CHECK(path("relay", "relay", "tls") == "relayed-tls");
  CHECK(path("srflx", "relay") == "relayed-udp");
  CHECK(path("relay", "host", "quic") == "nothing");
  CHECK(path("", "host") == "nothing");
  CHECK(path("host", "pigeon") == "nothing");
}

}  // namespace turnpike::signaling::test
