#include "conformance/frame.h"

namespace turnpike::conformance {
namespace {

constexpr std::size_t stun_header_bytes = 20;
constexpr std::size_t channel_header_bytes = 4;

bool is_stun(ByteView bytes) { return bytes[0] < 0x40; }
bool is_channel_data(ByteView bytes) { return bytes[0] >= 0x40 && bytes[0] < 0x80; }

}  // namespace

std::optional<Frame> first_frame(ByteView stream) {
  if (stream.size() < channel_header_bytes) return std::nullopt;
  if (!is_stun(stream) && !is_channel_data(stream)) return Frame{stream.size(), 0};
  const std::size_t length = load_be16(stream.subspan(2));
  if (is_stun(stream)) {
    if (stream.size() < stun_header_bytes + length) return std::nullopt;
    return Frame{stun_header_bytes + length, 0};
  }
  const Frame frame{channel_header_bytes + length, padded_to_4(length) - length};
  if (stream.size() < frame.size + frame.padding) return std::nullopt;
  return frame;
}

std::optional<ChannelData> read_channel_data(ByteView bytes) {
  if (bytes.size() < channel_header_bytes || !is_channel_data(bytes)) return std::nullopt;
  const std::size_t length = load_be16(bytes.subspan(2));
  if (bytes.size() < channel_header_bytes + length) return std::nullopt;
  return ChannelData{load_be16(bytes), bytes.subspan(channel_header_bytes, length),
                     bytes.subspan(channel_header_bytes + length)};
}

std::vector<std::uint8_t> make_channel_data(std::uint16_t number, ByteView payload,
                                            std::size_t padding) {
  std::vector<std::uint8_t> bytes(channel_header_bytes + payload.size() + padding, 0);
  store_be16(bytes, number);
  store_be16(MutableByteView{bytes}.subspan(2), static_cast<std::uint16_t>(payload.size()));
  copy_bytes(payload, MutableByteView{bytes}.subspan(channel_header_bytes));
  return bytes;
}

}  // namespace turnpike::conformance
