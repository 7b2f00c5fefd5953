// The lists of checks, one for each file of them.
#pragma once

#include <vector>

#include "conformance/check.h"

namespace turnpike::conformance {

[[nodiscard]] std::vector<Check> rfc8489_message_checks();
[[nodiscard]] std::vector<Check> rfc8489_authentication_checks();
[[nodiscard]] std::vector<Check> rfc8489_alternate_checks();
[[nodiscard]] std::vector<Check> time_limited_checks();
[[nodiscard]] std::vector<Check> rfc8656_allocate_checks();
[[nodiscard]] std::vector<Check> rfc8656_refresh_checks();
[[nodiscard]] std::vector<Check> rfc8656_permission_checks();
[[nodiscard]] std::vector<Check> rfc8656_channel_checks();
[[nodiscard]] std::vector<Check> rfc8656_data_checks();
[[nodiscard]] std::vector<Check> rfc8656_ip_header_checks();
[[nodiscard]] std::vector<Check> rfc8656_stream_checks();
[[nodiscard]] std::vector<Check> rfc6062_checks();
[[nodiscard]] std::vector<Check> rfc8016_checks();
[[nodiscard]] std::vector<Check> rfc5780_checks();
[[nodiscard]] std::vector<Check> rfc7443_checks();
[[nodiscard]] std::vector<Check> rfc7350_checks();

}  // namespace turnpike::conformance
