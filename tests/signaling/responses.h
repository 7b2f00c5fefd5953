// What a response, as a value or as bytes, says in a header.
#pragma once

#include <string>
#include <string_view>

#include "signaling/http.h"

namespace turnpike::signaling::test {

/// The first header of that name; "none" when there is none.
inline std::string header_of(const Response& response, std::string_view name) {
  for (const Header& header : response.headers) {
    if (header.name == name) return header.value;
  }
  return "none";
}

/// 404 of "HTTP/1.1 404 Not Found…"; 0 for what is no response.
inline int status_of(std::string_view wire) {
  if (!wire.starts_with("HTTP/1.1 ") || wire.size() < 12) return 0;
  return std::stoi(std::string{wire.substr(9, 3)});
}

}  // namespace turnpike::signaling::test
