// POSTs JSON to a URL of the operator's, with libcurl, which nothing else in the server includes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace turnpike::server {

/// Many requests at a time, without waiting for the network but in wait().
///
/// Each has "Turnpike-Signature: t=…,v1=…" (see webhook_signature()). The URL comes from the
/// operator alone and redirects are not followed, so no client decides where anything is sent.
/// Certificates are verified. Proxies in the environment are not used.
///
/// Everything but wake() belongs to one thread.
class HttpPoster {
 public:
  struct Settings {
    std::string url;              ///< http or https
    std::string secret;           ///< signs every request
    std::string ca_file{};        ///< PEM; empty: the system's certificate authorities
    milliseconds timeout{5'000};  ///< from the question to the end of the answer
  };
  /// What came of a request.
  struct Done {
    std::uint64_t id;     ///< as given to post()
    long status = 0;      ///< of HTTP; 0: there was no whole answer
    std::string body{};   ///< at most 16 KiB
    std::string problem;  ///< for people; empty with a 2xx
    [[nodiscard]] bool is_good() const { return problem.empty(); }
  };

  /// Throws std::runtime_error when libcurl cannot be set up.
  explicit HttpPoster(Settings settings);
  /// Ends what is under way.
  ~HttpPoster();
  HttpPoster(const HttpPoster&) = delete;
  HttpPoster& operator=(const HttpPoster&) = delete;

  void post(std::uint64_t id, std::string body);
  /// Waits until something is done, or wake(), or `longest` is over.
  [[nodiscard]] std::vector<Done> wait(milliseconds longest);
  /// Ends a wait(), or the next one. Any thread.
  void wake();

 private:
  class Curl;
  std::unique_ptr<Curl> curl_;
};

/// "t=1795219200,v1=…": v1 is HMAC-SHA256(secret, t "." body) in hexadecimal. A receiver computes
/// it again, compares in constant time, and refuses a `t` that is some minutes old.
[[nodiscard]] std::string webhook_signature(std::string_view secret, WallTime at,
                                            std::string_view body);

}  // namespace turnpike::server
