// Secrets that commands make up.
#pragma once

#include <cstddef>
#include <string>

namespace turnpike::cli {

/// `byte_count` random bytes in letters, digits, - and _ (RFC 4648 §5). Precondition: a multiple of
/// three, so that there is no padding.
[[nodiscard]] std::string random_secret(std::size_t byte_count);

}  // namespace turnpike::cli
