#include "turn/framing.h"

#include "base/hex.h"
#include "catch.h"

namespace turnpike::turn {
namespace {

using test::Bytes;
using test::from_hex;
using test::to_hex;

/// "channel:payload" in hexadecimal, or the error's name.
std::string outcome(const Bytes& datagram) {
  const Bytes exact = test::copy_of(datagram);  // on the heap, so that ASan sees a read past the end
  const auto message = parse_channel_data(exact);
  if (!message) return message.error() == FramingError::too_short ? "too_short" : "reserved_channel";
  std::array<std::uint8_t, 2> channel{};
  store_be16(channel, message->channel.value);
  const bool is_inside = message->payload.data() >= exact.data() &&
                         message->payload.data() + message->payload.size() <= exact.data() + exact.size();
  if (!is_inside) return "payload outside of the datagram";
  return to_hex(channel) + ":" + to_hex(message->payload);
}

}  // namespace

TEST_CASE("[f05] ChannelData is read to its stated length and no further", "[turn][f05][rfc8656-12.4]") {
  const auto [datagram, expected] = GENERATE(table<std::string, std::string>({
      {"4000 0004 01020304", "4000:01020304"},
      {"4fff 0001 aa", "4fff:aa"},
      // padding after the length is ignored, one to three bytes and more
      {"4001 0003 010203 00", "4001:010203"},
      {"4001 0002 0102 0000", "4001:0102"},
      {"4001 0001 01 000000", "4001:01"},
      {"4001 0001 01 ffffffff ffffffff", "4001:01"},
      // an empty payload
      {"4001 0000", "4001:"},
      {"4001 0000 00000000", "4001:"},
      // longer than the datagram: whatever would follow in memory is none of its business
      {"4001 0001", "too_short"},
      {"4001 0005 01020304", "too_short"},
      {"4001 ffff 01020304", "too_short"},
      // not even a header
      {"", "too_short"},
      {"40", "too_short"},
      {"4001", "too_short"},
      {"4001 00", "too_short"},
  }));
  CAPTURE(datagram);
  CHECK(outcome(from_hex(datagram)) == expected);
}

TEST_CASE("[f05] every length of every truncation is right or too short", "[turn][f05]") {
  for (std::size_t stated = 0; stated <= 40; ++stated) {
    for (std::size_t there = 0; there <= 40; ++there) {
      Bytes datagram = from_hex("4abc 0000");
      store_be16(MutableByteView{datagram}.subspan(2), static_cast<std::uint16_t>(stated));
      for (std::size_t i = 0; i < there; ++i) datagram.push_back(static_cast<std::uint8_t>(i));
      const Bytes payload{datagram.begin() + 4, datagram.end()};
      const std::string expected =
          stated > there ? "too_short" : "4abc:" + to_hex(ByteView{payload}.first(stated));
      REQUIRE(outcome(datagram) == expected);
    }
  }
}

TEST_CASE("[f02] the longest ChannelData is not wrapped", "[turn][f02]") {
  Bytes datagram(4 + 65535, 0x5a);
  store_be16(datagram, 0x4000);
  store_be16(MutableByteView{datagram}.subspan(2), 65535);
  const auto whole = parse_channel_data(datagram);
  REQUIRE(whole);
  CHECK(whole->payload.size() == 65535);
  datagram.pop_back();
  CHECK(parse_channel_data(datagram).error() == FramingError::too_short);
}

TEST_CASE("[f06] only channels 0x4000 to 0x4fff are channels", "[turn][f06][rfc8656-12]") {
  for (unsigned number = 0; number <= 0xffff; ++number) {
    Bytes datagram = from_hex("0000 0001 77");
    store_be16(datagram, static_cast<std::uint16_t>(number));
    const auto message = parse_channel_data(datagram);
    const bool is_channel = number >= 0x4000 && number <= 0x4fff;
    if (message.has_value() != is_channel) FAIL("channel " << number);
    if (!is_channel && message.error() != FramingError::reserved_channel) FAIL("channel " << number);
  }
}

TEST_CASE("a header that was written is read again", "[turn][rfc8656-12.4]") {
  const std::size_t size = GENERATE(0U, 1U, 255U, 256U, 1200U, 65507U, 65535U);
  Bytes datagram(channel_data_header_bytes + size, 0x11);
  put_channel_data_header(datagram, stun::ChannelNumber{0x4321}, size);
  const auto message = parse_channel_data(datagram);
  REQUIRE(message);
  CHECK(message->channel == stun::ChannelNumber{0x4321});
  CHECK(message->payload.data() == datagram.data() + 4);
  CHECK(message->payload.size() == size);
}

}  // namespace turnpike::turn
