#include "auth/opaque_string.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>

namespace turnpike::auth {
namespace {

/// FreeformClass leaves out controls, surrogates, unassigned and private-use code points, old
/// Hangul jamo and what is to be ignored (RFC 8264 §9).
bool is_disallowed(utf8proc_int32_t code_point) {
  const utf8proc_property_t* property = utf8proc_get_property(code_point);
  switch (property->category) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return true;
    default:
      break;
  }
  const bool old_hangul_jamo = (0x1100 <= code_point && code_point <= 0x11ff) ||
                               (0xa960 <= code_point && code_point <= 0xa97c) ||
                               (0xd7b0 <= code_point && code_point <= 0xd7fb);
  return old_hangul_jamo || property->ignorable != 0;
}

/// The text with every code point checked and every other space turned into U+0020.
std::optional<std::string> checked_and_mapped(std::string_view text) {
  std::string mapped;
  const auto* at = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  auto left = static_cast<utf8proc_ssize_t>(text.size());
  while (left > 0) {
    utf8proc_int32_t code_point = 0;
    const utf8proc_ssize_t used = utf8proc_iterate(at, left, &code_point);
    if (used <= 0 || is_disallowed(code_point)) return std::nullopt;
    if (utf8proc_category(code_point) == UTF8PROC_CATEGORY_ZS) code_point = ' ';
    std::array<utf8proc_uint8_t, 4> encoded{};
    const utf8proc_ssize_t size = utf8proc_encode_char(code_point, encoded.data());
    mapped.append(reinterpret_cast<const char*>(encoded.data()), static_cast<std::size_t>(size));
    at += used;
    left -= used;
  }
  return mapped;
}

}  // namespace

std::optional<std::string> opaque_string(std::string_view text) {
  const auto mapped = checked_and_mapped(text);
  if (!mapped || mapped->empty()) return std::nullopt;
  struct Free {
    // utf8proc hands out malloc()ed memory. NOLINTNEXTLINE(cppcoreguidelines-owning-memory)
    void operator()(utf8proc_uint8_t* p) const { std::free(p); }
  };
  const std::unique_ptr<utf8proc_uint8_t, Free> normal{
      utf8proc_NFC(reinterpret_cast<const utf8proc_uint8_t*>(mapped->c_str()))};
  if (!normal) return std::nullopt;
  return std::string{reinterpret_cast<const char*>(normal.get())};
}

}  // namespace turnpike::auth
