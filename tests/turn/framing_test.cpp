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
  const Bytes exact =
      test::copy_of(datagram);  // on the heap, so that ASan sees a read past the end
  const auto message = parse_channel_data(exact);
  if (!message)
    return message.error() == FramingError::too_short ? "too_short" : "reserved_channel";
  std::array<std::uint8_t, 2> channel{};
  store_be16(channel, message->channel.value);
  const bool is_inside =
      message->payload.data() >= exact.data() &&
      message->payload.data() + message->payload.size() <= exact.data() + exact.size();
  if (!is_inside) return "payload outside of the datagram";
  return to_hex(channel) + ":" + to_hex(message->payload);
}

/// "message bytes/total bytes" of the first message, or the state's name.
std::string first_frame(ByteView stream) {
  const Bytes exact = test::copy_of(stream);
  StreamFrame frame{};
  switch (find_frame(exact, frame)) {
    case StreamState::complete:
      break;
    case StreamState::incomplete:
      return "incomplete";
    case StreamState::broken:
      return "broken";
  }
  return std::to_string(frame.message_bytes) + "/" + std::to_string(frame.total_bytes);
}

/// A STUN header that announces `length`, or a ChannelData header, and as much as there may ever
/// be.
Bytes announcing(const std::string& start, unsigned length) {
  Bytes stream = from_hex(start);
  stream.resize(70000);
  store_be16(MutableByteView{stream}.subspan(2), static_cast<std::uint16_t>(length));
  return stream;
}

}  // namespace

TEST_CASE("ChannelData is read to its stated length and no further", "[turn][F05][rfc8656-12.4]") {
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

TEST_CASE("every length of every truncation is right or too short", "[turn][F05]") {
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

TEST_CASE("the longest ChannelData is not wrapped", "[turn][F02]") {
  Bytes datagram(4 + 65535, 0x5a);
  store_be16(datagram, 0x4000);
  store_be16(MutableByteView{datagram}.subspan(2), 65535);
  const auto whole = parse_channel_data(datagram);
  REQUIRE(whole);
  CHECK(whole->payload.size() == 65535);
  datagram.pop_back();
  CHECK(parse_channel_data(datagram).error() == FramingError::too_short);
}

TEST_CASE("only channels 0x4000 to 0x4fff are channels", "[turn][F06][rfc8656-12]") {
  for (unsigned number = 0; number <= 0xffff; ++number) {
    Bytes datagram = from_hex("0000 0001 77");
    store_be16(datagram, static_cast<std::uint16_t>(number));
    const auto message = parse_channel_data(datagram);
    const bool is_channel = number >= 0x4000 && number <= 0x4fff;
    if (message.has_value() != is_channel) FAIL("channel " << number);
    if (!is_channel && message.error() != FramingError::reserved_channel)
      FAIL("channel " << number);
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

// --- On streams ----------------------------------------------------------------------------------

TEST_CASE("the first message of a stream is found, with its padding", "[turn][rfc8656-12.5][c53]") {
  const std::string id = " 000000000000000000000000";
  const auto [stream, expected] = GENERATE_COPY(table<std::string, std::string>({
      {"0001 0000 2112a442" + id, "20/20"},
      {"0001 0000 2112a442" + id + "0001 0000", "20/20"},
      {"0001 0004 2112a442" + id + "80220000", "24/24"},
      {"3fff 0000 2112a442" + id, "broken"},  // no method has the bits of a first byte above 3
      {"03ff 0000 2112a442" + id, "20/20"},
      {"0400 0000 2112a442" + id, "broken"},
      {"0001 0000 2112a443" + id, "broken"},
      {"0001 0001 2112a442" + id, "broken"},
      {"0001 0002 2112a442" + id, "broken"},
      {"0001 0003", "broken"},
      // ChannelData, padded to four
      {"4000 0000", "4/4"},
      {"4000 0001 61 000000", "5/8"},
      {"4000 0002 6162 0000", "6/8"},
      {"4000 0003 616263 00", "7/8"},
      {"4000 0004 61626364", "8/8"},
      {"4000 0001 61 ffffff 4000", "5/8"},  // the padding's value does not matter
      {"4000 0001 61 0000", "incomplete"},
      {"4000 0001 61", "incomplete"},
      {"7fff 0000", "4/4"},  // an old client's number: framed, and refused by the server
      {"8000 0000", "broken"},
      {"4745 5420", "incomplete"},  // "GET ", a channel at heart
      {"", "incomplete"},
  }));
  CAPTURE(stream);
  CHECK(first_frame(from_hex(stream)) == expected);
}

TEST_CASE("the first byte alone tells what is no message", "[turn][rfc8656-12][F03]") {
  for (unsigned first = 0; first <= 0xff; ++first) {
    const bool may_be = first <= 3 || (0x40 <= first && first <= 0x7f);
    const Bytes stream{static_cast<std::uint8_t>(first)};
    if (first_frame(stream) != (may_be ? "incomplete" : "broken")) FAIL("first byte " << first);
  }
}

TEST_CASE("a message is found when its last byte is there and not before", "[turn][F01]") {
  const auto [stream, expected] = GENERATE(table<std::string, std::string>({
      {"0001 0008 2112a442 000102030405060708090a0b 80220004 61626364", "28/28"},
      {"4000 0005 6162636465 000000", "9/12"},
  }));
  const Bytes whole = from_hex(stream);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    REQUIRE(first_frame(ByteView{whole}.first(size)) == "incomplete");
  }
  CHECK(first_frame(whole) == expected);
}

TEST_CASE("no length is wrapped", "[turn][F01][F02]") {
  Bytes stun = announcing("0001 0000 2112a442", 0);
  Bytes channel = announcing("4000 0000", 0);
  StreamFrame frame{};
  for (unsigned length = 0; length <= 0xffff; ++length) {
    store_be16(MutableByteView{stun}.subspan(2), static_cast<std::uint16_t>(length));
    const StreamState state = find_frame(stun, frame);
    const bool is_right = length % 4 == 0 ? state == StreamState::complete &&
                                                frame.message_bytes == 20 + length &&
                                                frame.total_bytes == 20 + length
                                          : state == StreamState::broken;
    if (!is_right) FAIL("a STUN message of " << length);

    store_be16(MutableByteView{channel}.subspan(2), static_cast<std::uint16_t>(length));
    const std::size_t padded = (length + 3U) / 4 * 4;
    if (find_frame(channel, frame) != StreamState::complete || frame.message_bytes != 4 + length ||
        frame.total_bytes != 4 + padded) {
      FAIL("ChannelData of " << length);
    }
  }
}

TEST_CASE("of every length, no byte but the last makes a message, and none after it",
          "[turn][F01]") {
  constexpr std::size_t header = 24;
  const auto [start, overhead, unit] = GENERATE(table<std::string, std::size_t, std::size_t>({
      {"0001 0000 2112a442", 20, 4},
      {"4000 0000", 4, 1},
  }));
  Bytes stream = announcing(start, 0);
  stream.resize(overhead + 0x10000 + header, 0x40);
  StreamFrame frame{};
  for (std::size_t length = 0; length <= 0xffff; length += unit) {
    store_be16(MutableByteView{stream}.subspan(2), static_cast<std::uint16_t>(length));
    const std::size_t total = padded_to_4(overhead + length);
    const auto state_of = [&](std::size_t size) {
      return find_frame(ByteView{stream}.first(size), frame);
    };
    // Beyond the header an answer depends on the size alone: its ends are enough.
    for (std::size_t size = 0; size < std::min(total, header); ++size) {
      if (state_of(size) != StreamState::incomplete) FAIL(length << " after " << size);
    }
    if (state_of(total - 1) != StreamState::incomplete) FAIL(length << " one byte short");
    for (std::size_t size = total; size < total + 4; ++size) {
      if (state_of(size) != StreamState::complete || frame.total_bytes != total) {
        FAIL(length << " after " << size);
      }
    }
  }
}

TEST_CASE("the longest messages end where they say", "[turn][F02]") {
  const auto [start, length, total] = GENERATE(table<std::string, unsigned, std::size_t>({
      {"0001 0000 2112a442", 65532, 65552},
      {"0001 0000 2112a442", 65516, 65536},  // with its header just what 16 bits cannot say
      {"4000 0000", 65535, 65540},
      {"4000 0000", 65532, 65536},
  }));
  const Bytes stream = announcing(start, length);
  CHECK(first_frame(ByteView{stream}.first(total - 1)) == "incomplete");
  CHECK(first_frame(ByteView{stream}.first(total)) ==
        std::to_string(4 + length + (start[0] == '0' ? 16 : 0)) + "/" + std::to_string(total));
}

TEST_CASE("a wrong cookie is not waited for to its end", "[turn][F03]") {
  CHECK(first_frame(from_hex("0001 fffc 2112a4")) == "incomplete");
  CHECK(first_frame(from_hex("0001 fffc 2112a442")) == "incomplete");
  CHECK(first_frame(from_hex("0001 fffc 2112a441")) == "broken");
}

}  // namespace turnpike::turn
