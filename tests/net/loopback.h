// Help for tests on real loopback sockets: opening, and waiting with a deadline instead of
// sleeping.
#pragma once

#include <poll.h>

#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/endpoint.h"
#include "catch.h"
#include "net/udp_port.h"

namespace turnpike::net {

/// "127.0.0.1:0" and the like. Precondition: `text` is well-formed.
inline Endpoint endpoint(std::string_view text) { return Endpoint::parse(text).value(); }
inline IpAddress address(std::string_view text) { return IpAddress::parse(text).value(); }

/// Options that bind to `where` and change nothing else.
inline UdpPortOptions bound_to(std::string_view where) {
  UdpPortOptions options;
  options.bind = endpoint(where);
  return options;
}

/// Opens, or fails the test.
inline UdpPort open_port(const UdpPortOptions& options) {
  auto port = UdpPort::open(options);
  INFO("bind to " << options.bind.to_string());
  REQUIRE(port.has_value());
  return std::move(*port);
}
inline UdpPort open_port(std::string_view where = "127.0.0.1:0") {
  return open_port(bound_to(where));
}

/// False, with a warning, on a host without IPv6.
inline bool has_ipv6() {
  if (UdpPort::open(bound_to("[::1]:0"))) return true;
  WARN("skipped: no IPv6 loopback here");
  return false;
}

/// Waits up to five seconds for `events` (POLLIN, POLLERR) on `descriptor`.
inline bool wait_for(int descriptor, short events) {
  pollfd waiting{descriptor, events, 0};
  return poll(&waiting, 1, 5000) == 1 && (waiting.revents & events) != 0;
}

/// A datagram that outlives its batch.
struct Datagram {
  Endpoint from;
  IpAddress to_address;
  std::string text;
};

/// Receives until there are `count` datagrams, or fails the test when none comes for five seconds.
inline std::vector<Datagram> receive(UdpPort& port, std::size_t count) {
  std::vector<Datagram> datagrams;
  ReceiveBatch batch;
  while (datagrams.size() < count) {
    REQUIRE(wait_for(port.descriptor(), POLLIN));
    port.receive(batch);
    for (const Received& received : batch.datagrams()) {
      datagrams.push_back(
          {received.from, received.to_address, std::string{text_of(received.bytes)}});
    }
  }
  return datagrams;
}

/// The texts of the next `count` datagrams.
inline std::vector<std::string> receive_texts(UdpPort& port, std::size_t count) {
  std::vector<std::string> texts;
  for (Datagram& datagram : receive(port, count)) texts.push_back(std::move(datagram.text));
  return texts;
}

/// Whether nothing has arrived. Loopback delivers before the send returns, so there is no waiting.
inline bool is_silent(UdpPort& port) {
  ReceiveBatch batch;
  return port.receive(batch) == 0;
}

/// An address and port of loopback where nobody listens.
inline Endpoint closed_endpoint() { return open_port("127.0.0.77:0").local(); }

}  // namespace turnpike::net
