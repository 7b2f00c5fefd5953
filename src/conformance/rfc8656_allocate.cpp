#include "conformance/catalogue.h"

namespace turnpike::conformance {

std::vector<Check> rfc8656_allocate_checks() { return {}; }

}  // namespace turnpike::conformance
