// A reader of the few words of JSON Schema that web/openapi.json uses. A word that it does not know
// is a failure: what is described must also be checked.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "signaling/json.h"

namespace turnpike::signaling::test {

class JsonSchema {
 public:
  /// `document` must outlive it: "$ref" points into it.
  explicit JsonSchema(const Json& document) : document_(document) {}

  /// What is wrong with `value`, and where; empty when it is as `schema` says.
  [[nodiscard]] std::string problem(const Json& schema, const Json& value,
                                    const std::string& at = "") const {
    for (const auto& [word, says] : schema.items()) {
      const std::string found = check(word, says, schema, value, at);
      if (!found.empty()) return found;
    }
    return {};
  }
  /// What "$ref" points to; `node` itself when it is none.
  [[nodiscard]] const Json& resolve(const Json& node) const {
    if (!node.contains("$ref")) return node;
    const std::string target = node["$ref"];
    return document_.at(Json::json_pointer{target.substr(1)});
  }

 private:
  [[nodiscard]] std::string check(std::string_view word, const Json& says, const Json& schema,
                                  const Json& value, const std::string& at) const {
    if (word == "$ref") return problem(resolve(schema), value, at);
    if (word == "type") return holds(is_of_type(value, says), word, at);
    if (word == "enum")
      return holds(std::find(says.begin(), says.end(), value) != says.end(), word, at);
    if (word == "const") return holds(says == value, word, at);
    if (word == "minimum") return holds(!value.is_number() || value >= says, word, at);
    if (word == "maximum") return holds(value <= says, word, at);
    if (word == "minLength") return holds(value.get<std::string>().size() >= says, word, at);
    if (word == "maxLength") return holds(value.get<std::string>().size() <= says, word, at);
    if (word == "maxItems") return holds(value.size() <= says, word, at);
    if (word == "minProperties") return holds(value.size() >= says, word, at);
    if (word == "items") return check_items(says, value, at);
    if (word == "properties") return check_properties(says, value, at);
    if (word == "required") return check_required(says, value, at);
    if (word == "additionalProperties") return check_additional(says, schema, value, at);
    if (word == "description" || word == "format" || word == "default") return {};
    return at + ": the schema says " + std::string{word} + ", which is not known here";
  }
  static std::string holds(bool is_so, std::string_view word, const std::string& at) {
    return is_so ? std::string{} : at + ": " + std::string{word};
  }
  static bool is_of_type(const Json& value, const Json& type) {
    if (type.is_array()) {
      return std::any_of(type.begin(), type.end(),
                         [&](const Json& each) { return is_of_type(value, each); });
    }
    return (type == "null" && value.is_null()) || (type == "object" && value.is_object()) ||
           (type == "array" && value.is_array()) || (type == "string" && value.is_string()) ||
           (type == "boolean" && value.is_boolean()) ||
           (type == "integer" && value.is_number_integer());
  }
  [[nodiscard]] std::string check_items(const Json& schema, const Json& value,
                                        const std::string& at) const {
    for (const Json& item : value) {
      const std::string found = problem(schema, item, at + "/items");
      if (!found.empty()) return found;
    }
    return {};
  }
  [[nodiscard]] std::string check_properties(const Json& properties, const Json& value,
                                             const std::string& at) const {
    for (const auto& [name, schema] : properties.items()) {
      if (!value.contains(name)) continue;
      const std::string found = problem(schema, value.at(name), at + "/" + name);
      if (!found.empty()) return found;
    }
    return {};
  }
  static std::string check_required(const Json& names, const Json& value, const std::string& at) {
    for (const auto& name : names) {
      if (!value.contains(name.get<std::string>())) {
        return at + ": without " + name.get<std::string>();
      }
    }
    return {};
  }
  static std::string check_additional(const Json& says, const Json& schema, const Json& value,
                                      const std::string& at) {
    if (says != false) return at + ": additionalProperties other than false";
    for (const auto& [name, ignored] : value.items()) {
      if (!schema["properties"].contains(name)) return at + ": has " + name;
    }
    return {};
  }

  const Json& document_;
};

}  // namespace turnpike::signaling::test
