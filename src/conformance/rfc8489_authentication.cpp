#include "conformance/catalogue.h"

namespace turnpike::conformance {

std::vector<Check> rfc8489_authentication_checks() { return {}; }

}  // namespace turnpike::conformance
