#include "bench/framing.h"

#include "stun/builder.h"
#include "stun/demux.h"

namespace turnpike::bench {
namespace {

constexpr std::size_t channel_header_bytes = 4;
constexpr std::size_t attribute_header_bytes = 4;

std::vector<std::uint8_t> channel_header(std::size_t payload_bytes) {
  std::vector<std::uint8_t> header(channel_header_bytes);
  store_be16(header, channel_number);
  store_be16(MutableByteView{header}.subspan(2), static_cast<std::uint16_t>(payload_bytes));
  return header;
}

/// A Send indication up to the payload. DATA stands last, so that only padding follows.
std::vector<std::uint8_t> send_header(const Endpoint& peer, std::size_t payload_bytes) {
  std::vector<std::uint8_t> message(stun::max_own_message_bytes + padded_to_4(payload_bytes));
  stun::MessageBuilder builder{message, stun::Class::indication, stun::Method::send, {}};
  builder.put_xor_address(stun::AttributeType::xor_peer_address, peer);
  builder.put(stun::AttributeType::data, std::vector<std::uint8_t>(payload_bytes));
  message.resize(builder.bytes().size() - padded_to_4(payload_bytes));
  return message;
}

std::vector<std::uint8_t> header_for(Framing framing, const Endpoint& peer,
                                     std::size_t payload_bytes) {
  switch (framing) {
    case Framing::channel:
      return channel_header(payload_bytes);
    case Framing::indication:
      return send_header(peer, payload_bytes);
    case Framing::none:
      break;
  }
  return {};
}

std::optional<ByteView> channel_payload(ByteView message) {
  if (message.size() < channel_header_bytes || load_be16(message) != channel_number) {
    return std::nullopt;
  }
  const std::size_t payload_bytes = load_be16(message.subspan(2));
  const ByteView rest = message.subspan(channel_header_bytes);
  if (rest.size() < payload_bytes) return std::nullopt;
  return rest.first(payload_bytes);
}

/// The DATA attribute. Not by MessageView: it checks more than a load has time for.
std::optional<ByteView> data_payload(ByteView message) {
  constexpr std::uint16_t data_indication = 0x0017;
  if (message.size() < stun::header_bytes || load_be16(message) != data_indication) {
    return std::nullopt;
  }
  ByteView rest = message.subspan(stun::header_bytes);
  while (rest.size() >= attribute_header_bytes) {
    const std::uint16_t type = load_be16(rest);
    const std::size_t value_bytes = load_be16(rest.subspan(2));
    rest = rest.subspan(attribute_header_bytes);
    if (rest.size() < value_bytes) return std::nullopt;
    if (type == static_cast<std::uint16_t>(stun::AttributeType::data)) {
      return rest.first(value_bytes);
    }
    rest = rest.subspan(std::min(rest.size(), padded_to_4(value_bytes)));
  }
  return std::nullopt;
}

}  // namespace

Envelope::Envelope(Framing framing, const Endpoint& peer, std::size_t payload_bytes, bool pads)
    : header_(header_for(framing, peer, payload_bytes)) {
  message_bytes_ = header_.size() + payload_bytes;
  if (pads || framing == Framing::indication) message_bytes_ = padded_to_4(message_bytes_);
}

std::optional<ByteView> payload_of(Framing framing, ByteView message) {
  switch (framing) {
    case Framing::channel:
      return channel_payload(message);
    case Framing::indication:
      return data_payload(message);
    case Framing::none:
      break;
  }
  return message;
}

std::optional<std::size_t> first_message_bytes(ByteView stream) {
  if (stream.size() < channel_header_bytes) return std::nullopt;
  const std::size_t length = load_be16(stream.subspan(2));
  if (stun::classify(stream) == stun::Protocol::channel_data) {
    return channel_header_bytes + padded_to_4(length);
  }
  return stun::header_bytes + length;
}

}  // namespace turnpike::bench
