#include "conformance/catalogue.h"

namespace turnpike::conformance {

std::vector<Check> rfc8656_refresh_checks() { return {}; }

}  // namespace turnpike::conformance
