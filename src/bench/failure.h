// Why a measurement cannot go on.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace turnpike::bench {

/// Ends a run: one sentence.
struct BenchFailure : std::runtime_error {
  enum class Kind : std::uint8_t {
    unreachable,  ///< the server does not answer, or has closed a connection
    credentials,  ///< it refuses name or password
    refused,      ///< it refuses something else, or this host does
  };
  BenchFailure(Kind failure_kind, const std::string& sentence)
      : std::runtime_error(sentence), kind(failure_kind) {}
  Kind kind;
};

}  // namespace turnpike::bench
