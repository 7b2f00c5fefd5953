#include "net/proxied_group.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/proxy_header.h"
#include "catch.h"
#include "net/loopback.h"
#include "net/send_queue.h"

namespace turnpike::net {
namespace {

/// Four sockets that share a port which balancers send to.
class Group {
 public:
  Group() {
    UdpPortOptions options = bound_to("127.0.0.1:0");
    options.reuse_port = true;
    options.proxied_group = 4;
    for (int i = 0; i < 4; ++i) {
      ports_.push_back(open_port(options));
      options.bind = ports_[0].local();
    }
  }
  /// Sends from a new port of the balancer's; which socket got it.
  std::size_t receiver_of(ByteView datagram) {
    UdpPort balancer = open_port();
    SendQueue queue;
    queue.queue_copy(balancer, ports_[0].local(), std::nullopt, datagram);
    queue.flush();
    for (std::size_t i = 0; i < ports_.size(); ++i) {
      if (!is_silent(ports_[i])) return i;
    }
    FAIL("nobody got it");
    return 0;
  }

 private:
  std::vector<UdpPort> ports_;
};

}  // namespace

TEST_CASE("a client that balancers bring keeps its socket, whichever port they send from",
          "[net][proxy]") {
  Group group;
  const auto format = GENERATE(as<std::string>{}, "192.0.2.1:", "[2001:db8::7]:");
  std::set<std::size_t> used;
  for (int client = 1000; client < 1032; ++client) {
    const auto header = test::proxy_v2_for(format + std::to_string(client), true);
    const std::size_t first = group.receiver_of(header);
    used.insert(first);
    for (int i = 0; i < 4; ++i) CHECK(group.receiver_of(header) == first);
  }
  CHECK(used.size() == 4);
}

TEST_CASE("neighbours in an IPv6 network are spread too", "[net][proxy]") {
  Group group;
  std::set<std::size_t> used;
  for (int host = 1; host < 33; ++host) {
    const auto client =
        "[2001:db8:" + std::to_string(host) + "::" + std::to_string(host) + "]:4000";
    used.insert(group.receiver_of(test::proxy_v2_for(client, true)));
  }
  CHECK(used.size() == 4);
}

TEST_CASE("datagrams that name no client go to the first socket", "[net][proxy]") {
  Group group;
  const auto header = test::proxy_v2_for("192.0.2.1:4000", true);
  for (std::size_t size = 0; size < 26; ++size) {  // the source port ends there
    CHECK(group.receiver_of(ByteView{header}.first(size)) == 0);
  }
  CHECK(group.receiver_of(test::proxy_v2(0x20, 0x00, {})) == 0);
  CHECK(group.receiver_of(test::Bytes(100, 0x42)) == 0);
}

}  // namespace turnpike::net
