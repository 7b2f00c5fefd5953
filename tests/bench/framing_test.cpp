#include "bench/framing.h"

#include <string>

#include "catch.h"
#include "stun/attributes.h"
#include "stun/builder.h"

using namespace turnpike;
using bench::Envelope;
using bench::Framing;
using Bytes = std::vector<std::uint8_t>;

namespace {

const Endpoint peer{IpAddress::v4(0xc0000201), 4000};

/// The whole message that `envelope` makes of `payload`.
Bytes message_of(const Envelope& envelope, const std::string& payload) {
  Bytes message(envelope.message_bytes());
  copy_bytes(envelope.header(), message);
  copy_bytes(bytes_of(payload), MutableByteView{message}.subspan(envelope.header().size()));
  return message;
}

Bytes data_indication(const std::string& payload) {
  Bytes buffer(2048);
  stun::MessageBuilder builder{buffer, stun::Class::indication, stun::Method::data, {}};
  builder.put_xor_address(stun::AttributeType::xor_peer_address, peer);
  builder.put_text(stun::AttributeType::data, payload);
  buffer.resize(builder.bytes().size());
  return buffer;
}

}  // namespace

TEST_CASE("an envelope of ChannelData is four bytes, and padded on streams alone", "[bench]") {
  const Envelope datagram{Framing::channel, peer, 5, false};
  CHECK(message_of(datagram, "hello") == Bytes{0x40, 0, 0, 5, 'h', 'e', 'l', 'l', 'o'});
  const Envelope stream{Framing::channel, peer, 5, true};
  CHECK(message_of(stream, "hello").size() == 12);
}

TEST_CASE("an envelope of indications is a Send indication to the peer", "[bench]") {
  const Bytes message = message_of(Envelope{Framing::indication, peer, 5, false}, "hello");
  const auto view = stun::MessageView::parse(message);
  REQUIRE(view);
  CHECK(view->message_class() == stun::Class::indication);
  CHECK(view->method() == stun::Method::send);
  const auto to = view->find(stun::AttributeType::xor_peer_address);
  REQUIRE(to);
  CHECK(stun::decode_xor_address(*to, view->transaction_id()) == peer);
  const auto payload = view->find(stun::AttributeType::data);
  REQUIRE(payload);
  CHECK(text_of(*payload) == "hello");
}

TEST_CASE("the payload is found in what the server sends", "[bench]") {
  const Bytes channel{0x40, 0, 0, 2, 'h', 'i', 0, 0};
  const auto from_channel = bench::payload_of(Framing::channel, channel);
  REQUIRE(from_channel);
  CHECK(text_of(*from_channel) == "hi");
  const Bytes indication = data_indication("hello");
  const auto from_indication = bench::payload_of(Framing::indication, indication);
  REQUIRE(from_indication);
  CHECK(text_of(*from_indication) == "hello");
  const Bytes plain{'h', 'i'};
  CHECK(bench::payload_of(Framing::none, plain)->size() == 2);
}

TEST_CASE("what carries no payload is not taken for it", "[bench]") {
  CHECK_FALSE(bench::payload_of(Framing::channel, Bytes{0x40, 1, 0, 2, 'h', 'i'}));
  CHECK_FALSE(bench::payload_of(Framing::channel, data_indication("hello")));
  CHECK_FALSE(bench::payload_of(Framing::indication, Bytes{0x40, 0, 0, 2, 'h', 'i'}));
  const Bytes channel{0x40, 0, 0, 2, 'h', 'i'};
  for (std::size_t size = 0; size < channel.size(); ++size) {
    CHECK_FALSE(bench::payload_of(Framing::channel, ByteView{channel}.first(size)));
  }
  const Bytes indication = data_indication("full");
  for (std::size_t size = 0; size < indication.size(); ++size) {
    CHECK_FALSE(bench::payload_of(Framing::indication, ByteView{indication}.first(size)));
  }
}

TEST_CASE("messages of a stream are told apart", "[bench]") {
  const Bytes channel{0x40, 0, 0, 5, 'h', 'e', 'l', 'l', 'o', 0, 0, 0, 0x40};
  CHECK(bench::first_message_bytes(channel) == std::size_t{12});
  const Bytes indication = data_indication("hello");
  CHECK(bench::first_message_bytes(indication) == indication.size());
  CHECK_FALSE(bench::first_message_bytes(ByteView{channel}.first(3)));
}
