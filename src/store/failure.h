// How the parts of the store report what is wrong to one another: thrown, and turned into a
// StoreError at the store's surface.
#pragma once

#include <exception>
#include <string>
#include <string_view>

#include "store/store.h"

namespace turnpike::store {

class StoreFailure : public std::exception {
 public:
  StoreFailure(Fault fault, std::string sentence) : error_{fault, std::move(sentence)} {}

  [[nodiscard]] const StoreError& error() const { return error_; }
  [[nodiscard]] const char* what() const noexcept override { return error_.sentence.c_str(); }

 private:
  StoreError error_;
};

/// `code` and what it returns; what it throws becomes the error.
template <class Code>
[[nodiscard]] auto caught(const Code& code) -> Stored<decltype(code())> {
  try {
    if constexpr (std::is_void_v<decltype(code())>) {
      code();
      return {};
    } else {
      return code();
    }
  } catch (const StoreFailure& failure) {
    return Failure{failure.error()};
  }
}

}  // namespace turnpike::store
