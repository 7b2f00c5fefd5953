#include "signaling/json.h"

#include <utility>
#include <vector>

namespace turnpike::signaling {
namespace {

/// Builds the value while it is read, and stops the reader at the first broken bound.
class BoundedBuilder final : public Json::json_sax_t {
 public:
  BoundedBuilder(Json& root, unsigned max_depth) : root_(root), max_depth_(max_depth) {}

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t& /*spelling*/) override {
    return put(value);
  }
  bool string(string_t& value) override { return put(std::move(value)); }
  bool binary(binary_t& /*value*/) override { return false; }
  bool start_object(std::size_t /*elements*/) override { return open(Json::object()); }
  bool start_array(std::size_t /*elements*/) override { return open(Json::array()); }
  bool end_object() override { return leave(); }
  bool end_array() override { return leave(); }

  bool key(string_t& name) override {
    auto& object = *open_.back()->get_ptr<Json::object_t*>();
    const auto [at, is_new] = object.try_emplace(std::move(name), nullptr);
    member_ = &at->second;
    return is_new;
  }

  bool parse_error(std::size_t /*position*/, const std::string& /*token*/,
                   const nlohmann::detail::exception& /*error*/) override {
    return false;
  }

 private:
  /// Where the next value belongs. Open containers stay where they are: only the innermost grows.
  Json& place() {
    if (open_.empty()) return root_;
    if (auto* const array = open_.back()->get_ptr<Json::array_t*>()) {
      return array->emplace_back(nullptr);
    }
    return *member_;
  }
  bool put(Json value) {
    place() = std::move(value);
    return true;
  }
  bool open(Json container) {
    if (open_.size() == max_depth_) return false;
    Json& at = place();
    at = std::move(container);
    open_.push_back(&at);
    return true;
  }
  bool leave() {
    open_.pop_back();
    return true;
  }

  Json& root_;
  unsigned max_depth_;
  std::vector<Json*> open_;
  Json* member_ = nullptr;
};

void append_text(std::string& out, std::string_view value) { out += to_text(Json(value)); }

}  // namespace

std::optional<Json> parse_json(std::string_view text, unsigned max_depth) {
  // The library takes a zero byte for the end of the text, and would not look at what follows.
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  Json root;
  BoundedBuilder builder{root, max_depth};
  if (!Json::sax_parse(text.begin(), text.end(), &builder)) return std::nullopt;
  return root;
}

std::string to_text(const Json& value) {
  // `replace` because the strict handler throws; what came through parse_json() is UTF-8 anyway.
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void ObjectWriter::begin(std::string_view key) {
  if (out_.size() > 1) out_ += ',';
  out_ += '"';
  out_ += key;  // ours: nothing in it needs escaping
  out_ += "\":";
}

ObjectWriter& ObjectWriter::text(std::string_view key, std::string_view value) {
  begin(key);
  append_text(out_, value);
  return *this;
}

ObjectWriter& ObjectWriter::number(std::string_view key, std::uint64_t value) {
  begin(key);
  out_ += std::to_string(value);
  return *this;
}

ObjectWriter& ObjectWriter::boolean(std::string_view key, bool value) {
  begin(key);
  out_ += value ? "true" : "false";
  return *this;
}

ObjectWriter& ObjectWriter::raw(std::string_view key, std::string_view json) {
  begin(key);
  out_ += json;
  return *this;
}

std::string ObjectWriter::finish() {
  out_ += '}';
  return std::move(out_);
}

ArrayWriter& ArrayWriter::raw(std::string_view json) {
  if (out_.size() > 1) out_ += ',';
  out_ += json;
  return *this;
}

ArrayWriter& ArrayWriter::text(std::string_view value) { return raw(to_text(Json(value))); }

std::string ArrayWriter::finish() {
  out_ += ']';
  return std::move(out_);
}

}  // namespace turnpike::signaling
