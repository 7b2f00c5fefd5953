// Files that are part of the program: found by path, answered with what browsers want to know to
// cache them and to be safe with them. Where the bytes come from is the caller's.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "signaling/http.h"

namespace turnpike::signaling {

/// One file. All views must outlive the StaticFiles it is given to.
struct Asset {
  std::string_view path;  ///< "/turnpike.js"; that of a page may end with "/index.html"
  std::string_view type;  ///< "text/javascript; charset=utf-8"
  ByteView identity;
  ByteView gzip{};    ///< the same, compressed; empty: not there
  ByteView brotli{};  ///< the same, compressed; empty: not there
  bool is_immutable = false;  ///< its path changes with its content: to be cached for ever
  /// Content-Security-Policy; empty: the page may do what it likes, but not inside a frame.
  std::string_view policy{};
};

/// A fixed table of assets. There is no file system behind it, so no path leads out of it.
class StaticFiles {
 public:
  explicit StaticFiles(const std::vector<Asset>& assets = {});

  /// The answer to GET and HEAD of `path`, as in Request: the asset of that name, or "index.html"
  /// in it when it ends with a slash. Nothing when there is none. 304 when the client has it.
  [[nodiscard]] std::optional<Response> answer(const Request& request) const;
  [[nodiscard]] bool has(std::string_view path) const { return find(path) != nullptr; }

 private:
  struct Entry {
    Asset asset;
    std::string tag;  // of the identity's content
  };
  [[nodiscard]] const Entry* find(std::string_view path) const;

  std::vector<Entry> entries_;  // by path
};

/// True when the Accept-Encoding `list` takes `coding`, by name or by "*", with a weight that is
/// not zero (RFC 9110 §12.5.3).
[[nodiscard]] bool accepts_coding(std::string_view list, std::string_view coding);

}  // namespace turnpike::signaling
