// Bytes as hexadecimal text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace turnpike {

/// The value of a digit of either case; nothing for what is none.
[[nodiscard]] std::optional<std::uint8_t> hex_digit(char c);
/// The bytes that pairs of digits spell; nothing when there is anything else, or half a pair.
[[nodiscard]] std::optional<std::vector<std::uint8_t>> bytes_of_hex(std::string_view text);
/// Two digits a byte, in lower case.
[[nodiscard]] std::string hex_of(ByteView bytes);

}  // namespace turnpike
