#include "net/socket_address.h"

#include "net/loopback.h"

namespace turnpike::net {

TEST_CASE("an endpoint survives the way through a sockaddr", "[net]") {
  const auto text =
      GENERATE("192.0.2.1:3478", "255.255.255.255:65535", "0.0.0.0:0", "[2001:db8::1]:3478",
               "[::]:0", "[::ffff:192.0.2.1]:1", "[fe80::1%7]:3478");
  SocketAddress address = to_socket_address(endpoint(text));
  CHECK(to_endpoint(address) == endpoint(text));
  CHECK(to_endpoint(address.pointer()) == endpoint(text));
  CHECK(address.pointer()->sa_family == native_family(endpoint(text).family()));
}

TEST_CASE("only link-local addresses keep their scope", "[net]") {
  SocketAddress address = to_socket_address({net::address("2001:db8::1"), 3478, 7});
  CHECK(to_endpoint(address) == endpoint("[2001:db8::1]:3478"));
}

TEST_CASE("a sockaddr of another family is no endpoint", "[net]") {
  SocketAddress address;
  address.pointer()->sa_family = AF_UNIX;
  CHECK(to_endpoint(address) == Endpoint{});
}

}  // namespace turnpike::net
