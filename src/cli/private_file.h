// Files with secrets in them, which commands write.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace turnpike::cli {

/// Whether a file that is there already may be replaced.
enum class Existing : std::uint8_t { keep, replace };

/// Writes `text` to a new file at `path` that only its owner may read (0600), whole or not at all.
/// With Existing::keep a file that is there stays as it is, and the answer is false.
/// Throws CommandFailure (configuration) when the file cannot be written.
[[nodiscard]] bool write_private_file(const std::string& path, std::string_view text,
                                      Existing existing);

}  // namespace turnpike::cli
