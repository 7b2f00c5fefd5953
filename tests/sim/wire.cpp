#include "sim/wire.h"

#include <algorithm>

namespace turnpike::sim::wire {
namespace {

constexpr unsigned message_integrity = 0x0008;
constexpr unsigned message_integrity_sha256 = 0x001C;
constexpr unsigned fingerprint = 0x8028;
constexpr std::size_t header_size = 20;
constexpr std::size_t most_attributes = 1024;  // ours: nobody sends that many in earnest

/// CRC-32 of ITU V.42, bit by bit.
std::uint32_t crc_of(ByteView bytes) {
  std::uint32_t crc = 0xffffffff;
  for (const std::uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320U : 0U);
  }
  return ~crc;
}

/// The message up to an integrity attribute, with a length that ends after it (RFC 8489 §14.5).
Bytes covered_by(ByteView datagram, std::size_t offset, std::size_t attribute_size) {
  Bytes covered(datagram.begin(), datagram.begin() + static_cast<std::ptrdiff_t>(offset));
  const std::size_t length = offset + attribute_size - header_size;
  covered[2] = static_cast<std::uint8_t>(length >> 8);
  covered[3] = static_cast<std::uint8_t>(length);
  return covered;
}

}  // namespace

std::uint64_t number(ByteView bytes) {
  std::uint64_t value = 0;
  for (const std::uint8_t byte : bytes) value = value << 8 | byte;
  return value;
}

const Bytes* Message::find(unsigned type) const {
  for (const Attribute& attribute : attributes) {
    if (attribute.type == type) return &attribute.value;
  }
  return nullptr;
}

std::string Message::text(unsigned type) const {
  const Bytes* const value = find(type);
  return value == nullptr ? std::string{} : std::string{text_of(*value)};
}

std::optional<Message> read(ByteView datagram) {
  if (datagram.size() < header_size || datagram[0] > 0x3f) return std::nullopt;
  const std::uint64_t length = number(datagram.subspan(2, 2));
  if (length % 4 != 0 || length + header_size != datagram.size()) return std::nullopt;
  if (number(datagram.subspan(4, 4)) != 0x2112A442) return std::nullopt;

  Message message;
  const auto type = static_cast<unsigned>(number(datagram.first(2)));
  message.message_class = (type >> 4 & 1) | (type >> 7 & 2);
  message.method = (type & 0xf) | (type >> 1 & 0x70) | (type >> 2 & 0xf80);
  message.id.assign(datagram.begin() + 8, datagram.begin() + 20);

  std::size_t count = 0;
  for (std::size_t at = header_size; at < datagram.size();) {
    if (message.has_fingerprint) return std::nullopt;  // it must be the last
    if (++count > most_attributes || datagram.size() - at < 4) return std::nullopt;
    const auto attribute = static_cast<unsigned>(number(datagram.subspan(at, 2)));
    const auto size = static_cast<std::size_t>(number(datagram.subspan(at + 2, 2)));
    const std::size_t padded = (size + 3) / 4 * 4;
    if (datagram.size() - at - 4 < padded) return std::nullopt;
    const ByteView value = datagram.subspan(at + 4, size);
    const bool is_signed_off = message.integrity || message.integrity_sha256;
    if (attribute == fingerprint) {
      message.has_fingerprint = true;
      const bool is_last = at + 4 + padded == datagram.size();
      if (is_last && (size != 4 || (crc_of(datagram.first(at)) ^ 0x5354554e) != number(value))) {
        return std::nullopt;
      }
    } else if (attribute == message_integrity && !is_signed_off) {
      message.integrity = Bytes(value.begin(), value.end());
      message.covered = covered_by(datagram, at, 4 + padded);
    } else if (attribute == message_integrity_sha256 && !message.integrity_sha256) {
      message.integrity_sha256 = Bytes(value.begin(), value.end());
      message.covered_sha256 = covered_by(datagram, at, 4 + padded);
    } else if (!is_signed_off) {
      message.attributes.push_back({attribute, Bytes(value.begin(), value.end())});
    }
    at += 4 + padded;
  }
  return message;
}

std::optional<Endpoint> plain_address(const Bytes& value) {
  const bool is_v4 = value.size() == 8 && value[1] == 1;
  const bool is_v6 = value.size() == 20 && value[1] == 2;
  if (!is_v4 && !is_v6) return std::nullopt;
  const auto port = static_cast<std::uint16_t>(number(ByteView{value}.subspan(2, 2)));
  const ByteView address = ByteView{value}.subspan(4);
  return Endpoint{IpAddress::from_bytes(is_v4 ? Family::ipv4 : Family::ipv6, address), port};
}

std::optional<Endpoint> xored_address(const Bytes& value, const Bytes& id) {
  Bytes mask{0, 0, 0x21, 0x12, 0x21, 0x12, 0xA4, 0x42};
  mask.insert(mask.end(), id.begin(), id.end());
  Bytes plain = value;
  for (std::size_t i = 2; i < std::min(plain.size(), mask.size()); ++i) plain[i] ^= mask[i];
  return plain_address(plain);
}

int error_code(const Bytes& value) {
  return value.size() < 4 ? 0 : (value[2] & 7) * 100 + value[3];
}

std::optional<ChannelData> read_channel_data(ByteView datagram) {
  if (datagram.size() < 4) return std::nullopt;
  const auto channel = static_cast<unsigned>(number(datagram.first(2)));
  const auto size = static_cast<std::size_t>(number(datagram.subspan(2, 2)));
  if (channel < 0x4000 || channel > 0x4fff || datagram.size() - 4 < size) return std::nullopt;
  const ByteView payload = datagram.subspan(4, size);
  return ChannelData{channel, Bytes(payload.begin(), payload.end())};
}

}  // namespace turnpike::sim::wire
