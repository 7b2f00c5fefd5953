// How a unique_ptr gives back what a C library has made.
#pragma once

namespace turnpike::net {

/// A deleter that calls `function`: std::unique_ptr<SSL, FreeWith<SSL_free>>.
template <auto function>
struct FreeWith {
  template <class T>
  void operator()(T* object) const {
    function(object);
  }
};

}  // namespace turnpike::net
