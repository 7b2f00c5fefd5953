#include "signaling/call_path.h"

#include <set>
#include <string>

#include "catch.h"

namespace turnpike::signaling::test {

TEST_CASE("a report says which way the call took", "[signaling]") {
  const auto path = [](std::string_view local, std::string_view remote,
                       std::string_view relay_protocol = "") -> std::string {
    const auto taken = read_path({local, remote, relay_protocol});
    if (!taken) return "nothing";
    return std::string{to_string(taken->local)} + " " + std::string{to_string(taken->remote)} +
           " " + std::string{to_string(taken->relay_protocol)};
  };
  CHECK(path("host", "host") == "host host none");
  CHECK(path("host", "srflx") == "host srflx none");
  CHECK(path("prflx", "host") == "prflx host none");
  CHECK(path("srflx", "relay", "tls") == "srflx relay none");  // it is the other's relay
  CHECK(path("relay", "srflx", "udp") == "relay srflx udp");
  CHECK(path("relay", "srflx", "tcp") == "relay srflx tcp");
  CHECK(path("relay", "relay", "tls") == "relay relay tls");
  CHECK(path("relay", "host") == "relay host unknown");
  CHECK(path("relay", "host", "quic") == "nothing");
  CHECK(path("relay", "host", "none") == "nothing");
  CHECK(path("", "host") == "nothing");
  CHECK(path("host", "pigeon") == "nothing");
}

TEST_CASE("each way that there can be has a number of its own", "[signaling]") {
  std::set<std::size_t> numbers;
  for (const CallPath& path : possible_call_paths()) {
    CHECK((path.local == CandidateType::relay) == (path.relay_protocol != RelayProtocol::none));
    numbers.insert(index_of(path));
    CHECK(index_of(path) < call_paths);
  }
  CHECK(numbers.size() == 28);
}

}  // namespace turnpike::signaling::test
