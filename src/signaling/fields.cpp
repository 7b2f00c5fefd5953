#include "signaling/fields.h"

#include <algorithm>

namespace turnpike::signaling {
namespace {

// Above it a double no longer tells whole numbers apart (RFC 8259 §6).
constexpr double max_whole = 9'007'199'254'740'991.0;

std::string plain_text_of_at_most(std::size_t max_bytes) {
  return "must be text of at most " + std::to_string(max_bytes) +
         " bytes without control characters";
}

}  // namespace

bool is_plain_text(std::string_view text, std::size_t max_bytes) {
  return text.size() <= max_bytes && std::none_of(text.begin(), text.end(), [](char c) {
           return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
         });
}

FieldReader::FieldReader(const Json& object) : object_(object) {
  if (!object.is_object()) problem_ = "not a JSON object";
}

void FieldReader::fail(const char* name, std::string_view what) {
  if (ok()) problem_.append(name).append(" ").append(what);
}

const Json* FieldReader::find(const char* name) const {
  if (!object_.is_object()) return nullptr;
  const auto at = object_.find(name);
  return at == object_.end() || at->is_null() ? nullptr : &*at;
}

std::optional<std::string> FieldReader::text(const char* name, std::size_t max_bytes) {
  const Json* const value = find(name);
  if (value == nullptr) return std::nullopt;
  const auto* const text = value->get_ptr<const std::string*>();
  if (text == nullptr || !is_plain_text(*text, max_bytes)) {
    fail(name, plain_text_of_at_most(max_bytes));
    return std::nullopt;
  }
  return *text;
}

std::string FieldReader::required_text(const char* name, std::size_t max_bytes) {
  std::string value = text(name, max_bytes).value_or(std::string{});
  if (value.empty()) fail(name, "is missing or empty");
  return value;
}

std::optional<bool> FieldReader::boolean(const char* name) {
  const Json* const value = find(name);
  if (value == nullptr) return std::nullopt;
  const auto* const flag = value->get_ptr<const bool*>();
  if (flag == nullptr) {
    fail(name, "must be true or false");
    return std::nullopt;
  }
  return *flag;
}

std::optional<std::uint64_t> FieldReader::number(const char* name) {
  const Json* const value = find(name);
  if (value == nullptr) return std::nullopt;
  if (const auto* const whole = value->get_ptr<const Json::number_unsigned_t*>()) return *whole;
  const auto* const real = value->get_ptr<const Json::number_float_t*>();
  if (real != nullptr && *real >= 0 && *real <= max_whole) {
    const auto whole = static_cast<std::uint64_t>(*real);
    if (static_cast<double>(whole) == *real) return whole;
  }
  fail(name, "must be a whole number, not negative");
  return std::nullopt;
}

std::optional<std::vector<std::string>> FieldReader::texts(const char* name, std::size_t max_count,
                                                           std::size_t max_bytes) {
  const Json* const value = find(name);
  if (value == nullptr) return std::nullopt;
  const auto* const array = value->get_ptr<const Json::array_t*>();
  const auto is_good = [max_bytes](const Json& each) {
    const auto* const text = each.get_ptr<const std::string*>();
    return text != nullptr && is_plain_text(*text, max_bytes);
  };
  if (array == nullptr || array->size() > max_count ||
      !std::all_of(array->begin(), array->end(), is_good)) {
    fail(name, "must be a list of at most " + std::to_string(max_count) + " texts");
    return std::nullopt;
  }
  std::vector<std::string> texts;
  texts.reserve(array->size());
  for (const Json& each : *array) texts.push_back(*each.get_ptr<const std::string*>());
  return texts;
}

const Json* FieldReader::object(const char* name) {
  const Json* const value = find(name);
  if (value != nullptr && !value->is_object()) {
    fail(name, "must be an object");
    return nullptr;
  }
  return value;
}

}  // namespace turnpike::signaling
