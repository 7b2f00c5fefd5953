// JSON as the network sends it: read with bounds and without exceptions, written in a fixed order.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace turnpike::signaling {

using Json = nlohmann::json;

/// Reads one JSON text. Nothing for what is not JSON or not UTF-8, for numbers out of range, for
/// more than `max_depth` arrays and objects inside one another, and for an object that has a key
/// twice: two readers of one such text may understand different things.
[[nodiscard]] std::optional<Json> parse_json(std::string_view text, unsigned max_depth);

/// `value` on one line.
[[nodiscard]] std::string to_text(const Json& value);

/// Writes one JSON object, fields in the order of the calls.
class ObjectWriter {
 public:
  ObjectWriter& text(std::string_view key, std::string_view value);
  ObjectWriter& number(std::string_view key, std::uint64_t value);
  ObjectWriter& boolean(std::string_view key, bool value);
  /// A value that is JSON already.
  ObjectWriter& raw(std::string_view key, std::string_view json);
  /// The object; the writer is spent.
  [[nodiscard]] std::string finish();

 private:
  void begin(std::string_view key);

  std::string out_ = "{";
};

/// Writes one JSON array of values that are JSON already.
class ArrayWriter {
 public:
  ArrayWriter& raw(std::string_view json);
  ArrayWriter& text(std::string_view value);
  [[nodiscard]] std::string finish();

 private:
  std::string out_ = "[";
};

}  // namespace turnpike::signaling
