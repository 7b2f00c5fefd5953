#include "conformance/dtls_hello.h"

#include <algorithm>

#include "catch.h"

using namespace turnpike;
using namespace turnpike::conformance;

namespace {

using Bytes = std::vector<std::uint8_t>;

/// A HelloVerifyRequest with the cookie a1 b2 c3.
const Bytes hello_verify{22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0,    0,    0, 18,   3,    0,   0,
                         6,  0,    0,    0, 0, 0, 0, 0, 6, 0xfe, 0xff, 3, 0xa1, 0xb2, 0xc3};

}  // namespace

TEST_CASE("a ClientHello has lengths that fit, with and without a cookie", "[conformance]") {
  const Bytes random(32, 0x55);
  for (const Bytes& cookie : {Bytes{}, Bytes(20, 0xcc)}) {
    const Bytes hello = make_client_hello(random, cookie, cookie.empty() ? 0 : 1);
    CHECK(load_be16(ByteView{hello}.subspan(11)) == hello.size() - 13);
    CHECK(hello[13] == 1);
    CHECK(load_be16(ByteView{hello}.subspan(15)) == hello.size() - 25);  // the message
    CHECK(load_be16(ByteView{hello}.subspan(23)) == hello.size() - 25);  // its only fragment
    CHECK(std::search(hello.begin(), hello.end(), random.begin(), random.end()) != hello.end());
    CHECK(hello[25 + 2 + 32 + 1] == cookie.size());
    CHECK(hello[10] == hello[18]);  // record and message are numbered alike
  }
}

TEST_CASE("a cookie is found in a HelloVerifyRequest, however it is cut", "[conformance]") {
  CHECK(handshake_type(hello_verify) == handshake_hello_verify_request);
  CHECK(cookie_in(hello_verify) == Bytes{0xa1, 0xb2, 0xc3});
  for (std::size_t size = 0; size < hello_verify.size(); ++size) {
    CHECK_FALSE(cookie_in(ByteView{hello_verify}.first(size)));
  }
}

TEST_CASE("other records are not taken for a HelloVerifyRequest", "[conformance]") {
  Bytes server_hello = hello_verify;
  server_hello[13] = handshake_server_hello;
  CHECK(handshake_type(server_hello) == handshake_server_hello);
  CHECK_FALSE(cookie_in(server_hello));
  Bytes alert = hello_verify;
  alert[0] = 21;
  CHECK_FALSE(handshake_type(alert));
  Bytes encrypted = hello_verify;
  encrypted[4] = 1;
  CHECK_FALSE(handshake_type(encrypted));
}
