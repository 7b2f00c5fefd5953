#include "stun/demux.h"

#include "base/hex.h"
#include "catch.h"

namespace turnpike::stun {

namespace {

Protocol protocol_of(unsigned first_byte) {
  const std::array<std::uint8_t, 1> datagram{static_cast<std::uint8_t>(first_byte)};
  return classify(datagram);
}

}  // namespace

TEST_CASE("the first byte tells the protocol", "[stun][rfc7983-7][rfc8656-12]") {
  auto [first, last, protocol] = GENERATE(table<unsigned, unsigned, Protocol>({
      {0, 3, Protocol::stun},
      {4, 15, Protocol::reserved},
      {16, 19, Protocol::zrtp},
      {20, 63, Protocol::dtls},
      {64, 79, Protocol::channel_data},
      {80, 127, Protocol::reserved},
      {128, 191, Protocol::rtp},
      {192, 255, Protocol::reserved},
  }));
  for (unsigned byte = first; byte <= last; ++byte) {
    CAPTURE(byte);
    CHECK(protocol_of(byte) == protocol);
  }
}

TEST_CASE("an empty datagram belongs to no protocol", "[stun][S01]") {
  CHECK(classify({}) == Protocol::reserved);
}

TEST_CASE("only the first byte counts", "[stun]") {
  const test::Bytes channel = test::from_hex("4000ffff00");
  CHECK(classify(channel) == Protocol::channel_data);
  STATIC_REQUIRE(classify(ByteView{}) == Protocol::reserved);
}

}  // namespace turnpike::stun
