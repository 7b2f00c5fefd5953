#include "conformance/frame.h"

#include "catch.h"

using namespace turnpike;
using namespace turnpike::conformance;
using Bytes = std::vector<std::uint8_t>;

TEST_CASE("ChannelData in a stream ends behind its padding", "[conformance][c53]") {
  const Bytes stream = make_channel_data(0x4000, Bytes{1, 2, 3, 4, 5}, 3);
  const auto frame = first_frame(stream);
  REQUIRE(frame);
  CHECK(frame->size == 9);
  CHECK(frame->padding == 3);
  CHECK_FALSE(first_frame(ByteView{stream}.first(11)));
  CHECK_FALSE(first_frame(ByteView{stream}.first(3)));
}

TEST_CASE("a STUN message in a stream ends where its length says", "[conformance]") {
  Bytes stream(28, 0);
  stream[3] = 4;
  CHECK(first_frame(stream)->size == 24);
  CHECK(first_frame(stream)->padding == 0);
  CHECK_FALSE(first_frame(ByteView{stream}.first(23)));
}

TEST_CASE("what is neither is shown as it came", "[conformance]") {
  CHECK(first_frame(Bytes{0xff, 0, 0, 0, 0})->size == 5);
}

TEST_CASE("ChannelData is taken apart by its length", "[conformance][c53]") {
  const Bytes bytes = make_channel_data(0x4fff, Bytes{7, 8}, 2);
  const auto data = read_channel_data(bytes);
  REQUIRE(data);
  CHECK(data->number == 0x4fff);
  CHECK(Bytes{data->payload.begin(), data->payload.end()} == Bytes{7, 8});
  CHECK(data->trailing.size() == 2);
  CHECK_FALSE(read_channel_data(ByteView{bytes}.first(5)));
  CHECK_FALSE(read_channel_data(Bytes{0, 0, 0, 0}));
}
