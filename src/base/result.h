// Result<T, E>: a value or the reason there is none. An alias until std::expected is the floor.
#pragma once

#include <tl/expected.hpp>
#include <utility>

namespace turnpike {

/// Either a `T` or an `E`. For what the network says wrong; never thrown.
template <class T, class E>
using Result = tl::expected<T, E>;

/// Wraps the error half: `return Failure{ParseError::too_short};`
/// A class rather than an alias: clang 14 does not deduce the arguments of alias templates.
template <class E>
struct Failure : tl::unexpected<E> {
  explicit Failure(E error) : tl::unexpected<E>(std::move(error)) {}
};

}  // namespace turnpike
