// Reads the fields of one JSON object, remembering the first that is not as it should be.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "signaling/json.h"

namespace turnpike::signaling {

/// Reads fields by name. A field that is missing, or null, is nothing; one of the wrong type or
/// beyond its bounds is nothing too, and makes ok() false. Fields that are not asked for are
/// ignored.
class FieldReader {
 public:
  /// `object` must outlive the reader. What is not an object has no fields, and is not ok.
  explicit FieldReader(const Json& object);

  /// Text without control characters, at most `max_bytes` of UTF-8.
  [[nodiscard]] std::optional<std::string> text(const char* name, std::size_t max_bytes);
  /// The same, and it must be there and not be empty.
  [[nodiscard]] std::string required_text(const char* name, std::size_t max_bytes);
  [[nodiscard]] std::optional<bool> boolean(const char* name);
  /// A whole number, not negative; also as 1e3 or 2.0.
  [[nodiscard]] std::optional<std::uint64_t> number(const char* name);
  /// At most `max_count` texts.
  [[nodiscard]] std::optional<std::vector<std::string>> texts(const char* name,
                                                              std::size_t max_count,
                                                              std::size_t max_bytes);
  /// An object, as it is.
  [[nodiscard]] const Json* object(const char* name);
  /// Anything but null, as it is.
  [[nodiscard]] const Json* find(const char* name) const;

  /// Notes that the field `name` is not as it should be: `what` follows its name.
  void fail(const char* name, std::string_view what);
  [[nodiscard]] bool ok() const { return problem_.empty(); }
  /// "room must be text of at most 128 bytes"; empty when ok().
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  const Json& object_;
  std::string problem_;
};

/// True when `text` has no control characters and at most `max_bytes`.
[[nodiscard]] bool is_plain_text(std::string_view text, std::size_t max_bytes);

}  // namespace turnpike::signaling
