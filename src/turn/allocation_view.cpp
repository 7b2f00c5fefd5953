#include "turn/allocation_view.h"

#include <charconv>

namespace turnpike::turn {
namespace {

/// A number without sign and leading zeros, and nothing behind it.
template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_whole = error == std::errc{} && end == text.data() + text.size();
  if (!is_whole || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  return number;
}

}  // namespace

std::string to_string(const AllocationName& name) {
  return std::to_string(static_cast<unsigned>(name.worker)) + "-" + std::to_string(name.serial);
}

std::optional<AllocationName> parse_allocation_name(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto worker = parse_number<std::uint8_t>(text.substr(0, dash));
  const auto serial = parse_number<std::uint64_t>(text.substr(dash + 1));
  if (!worker || !serial || *serial == 0) return std::nullopt;
  return AllocationName{WorkerId{*worker}, *serial};
}

std::string_view to_string(CloseReason reason) {
  switch (reason) {
    case CloseReason::expired:
      return "expired";
    case CloseReason::deleted:
      return "deleted";
    case CloseReason::client_gone:
      return "client_gone";
    case CloseReason::killed:
      return "killed";
    case CloseReason::revoked:
      return "revoked";
    case CloseReason::shutdown:
      return "shutdown";
    case CloseReason::failed:
      return "failed";
  }
  return "";
}

}  // namespace turnpike::turn
