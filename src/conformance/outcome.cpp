#include "conformance/outcome.h"

#include <algorithm>

#include "base/hexadecimal.h"

namespace turnpike::conformance {

std::string_view to_string(Status status) {
  switch (status) {
    case Status::passed:
      return "passed";
    case Status::failed:
      return "failed";
    case Status::warned:
      return "warned";
    case Status::not_supported:
      return "not supported";
    case Status::not_tried:
      break;
  }
  return "not tried";
}

void fail(std::string expected, std::string got) {
  throw Ended{{Status::failed, std::move(expected), std::move(got), {}}};
}

void expect(bool holds, const std::string& expected, const std::string& got) {
  if (!holds) fail(expected, got);
}

void not_supported(std::string why) {
  throw Ended{{Status::not_supported, {}, {}, std::move(why)}};
}

void not_tried(std::string why) { throw Ended{{Status::not_tried, {}, {}, std::move(why)}}; }

std::string describe(ByteView bytes) {
  constexpr std::size_t shown_max = 24;
  std::string text = std::to_string(bytes.size()) + (bytes.size() == 1 ? " byte " : " bytes ");
  text += hex_of(bytes.first(std::min(bytes.size(), shown_max)));
  if (bytes.size() > shown_max) text += "…";
  if (bytes.empty()) text.pop_back();
  return text;
}

}  // namespace turnpike::conformance
