#include "conformance/catalogue.h"

namespace turnpike::conformance {

std::vector<Check> rfc8656_stream_checks() { return {}; }

}  // namespace turnpike::conformance
