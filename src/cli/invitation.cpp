#include "cli/invitation.h"

#include <fmt/format.h>

#include "cli/percent_encoding.h"

namespace turnpike::cli {

std::string invitation(const std::string& page, const std::string& room, const std::string& token) {
  return fmt::format("{}#room={}&token={}", page, percent_encoded(room), percent_encoded(token));
}

}  // namespace turnpike::cli
