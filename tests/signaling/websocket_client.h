// The client's side of a WebSocket, for tests: frames made by hand, and what came back as text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace turnpike::signaling::test {

namespace opcode {
inline constexpr std::uint8_t continuation = 0;
inline constexpr std::uint8_t text = 1;
inline constexpr std::uint8_t binary = 2;
inline constexpr std::uint8_t close = 8;
inline constexpr std::uint8_t ping = 9;
inline constexpr std::uint8_t pong = 10;
}  // namespace opcode

struct FrameShape {
  bool is_last = true;
  bool is_masked = true;
  std::uint8_t reserved = 0;  ///< RSV1 is 4
};

/// One frame as a client sends it, right or wrong.
inline std::string client_frame(std::uint8_t code, std::string_view payload,
                                FrameShape shape = {}) {
  const auto byte = [](std::size_t value) { return static_cast<char>(value & 0xff); };
  std::string frame;
  frame += byte((shape.is_last ? 0x80U : 0U) | (unsigned{shape.reserved} << 4) | code);
  const std::size_t mask_bit = shape.is_masked ? 0x80 : 0;
  const std::size_t size = payload.size();
  if (size < 126) {
    frame += byte(mask_bit | size);
  } else if (size < 65'536) {
    frame += byte(mask_bit | 126);
    for (const int shift : {8, 0}) frame += byte(size >> shift);
  } else {
    frame += byte(mask_bit | 127);
    for (const int shift : {56, 48, 40, 32, 24, 16, 8, 0}) frame += byte(size >> shift);
  }
  if (!shape.is_masked) return frame.append(payload);
  constexpr std::string_view mask = "\x37\xfa\x21\x3d";
  frame += mask;
  for (std::size_t i = 0; i < size; ++i) frame += static_cast<char>(payload[i] ^ mask[i % 4]);
  return frame;
}

inline std::string client_close(std::uint16_t code, std::string_view reason) {
  std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
  return client_frame(opcode::close, payload.append(reason));
}

/// A server's frames, one a line: "text hello", "close 1000 bye". "broken" for what is no frame.
inline std::string describe_frames(std::string_view bytes) {
  const auto at = [&](std::size_t i) {
    return static_cast<std::size_t>(static_cast<std::uint8_t>(bytes[i]));
  };
  std::string lines;
  while (bytes.size() >= 2) {
    std::size_t header = 2;
    std::size_t size = at(1);
    const std::size_t length_bytes = size == 126 ? 2 : size == 127 ? 8 : 0;
    if ((at(0) & 0xf0) != 0x80 || size > 127 || bytes.size() < header + length_bytes) break;
    if (length_bytes > 0) size = 0;
    for (std::size_t i = 0; i < length_bytes; ++i) size = size << 8 | at(header + i);
    header += length_bytes;
    if (bytes.size() < header + size) break;
    std::string payload{bytes.substr(header, size)};
    const std::size_t code = at(0) & 0xf;
    if (code == opcode::close) {
      lines += "close";
      if (size >= 2) {
        lines += " " + std::to_string(at(header) << 8 | at(header + 1));
        if (size > 2) lines += " " + payload.substr(2);
      }
    } else {
      lines += code == opcode::text     ? "text "
               : code == opcode::binary ? "binary "
               : code == opcode::ping   ? "ping "
               : code == opcode::pong   ? "pong "
                                        : "unknown ";
      lines += payload;
    }
    lines += "\n";
    bytes.remove_prefix(header + size);
  }
  return bytes.empty() ? lines : lines + "broken";
}

}  // namespace turnpike::signaling::test
