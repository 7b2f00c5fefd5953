#include "conformance/catalogue.h"

namespace turnpike::conformance {

std::vector<Check> rfc8656_permission_checks() { return {}; }

}  // namespace turnpike::conformance
