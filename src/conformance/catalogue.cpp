#include "conformance/catalogue.h"

namespace turnpike::conformance {
namespace {

std::vector<Check> all_checks() {
  std::vector<Check> all;
  for (const auto& part :
       {rfc8489_message_checks(), rfc8489_authentication_checks(), rfc8489_alternate_checks(),
        time_limited_checks(), rfc8656_allocate_checks(), rfc8656_refresh_checks(),
        rfc8656_permission_checks(), rfc8656_channel_checks(), rfc8656_data_checks(),
        rfc8656_ip_header_checks(), rfc8656_stream_checks(), rfc6062_checks(), rfc8016_checks(),
        rfc5780_checks(), rfc7443_checks(), rfc7350_checks()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

}  // namespace

std::span<const Check> catalogue() {
  static const std::vector<Check> checks = all_checks();
  return checks;
}

bool matches(std::string_view pattern, std::string_view name) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == name;
  if (!name.starts_with(pattern.substr(0, star))) return false;
  const std::string_view rest = pattern.substr(star + 1);
  for (std::size_t from = star; from <= name.size(); ++from) {
    if (matches(rest, name.substr(from))) return true;
  }
  return false;
}

}  // namespace turnpike::conformance
