// Sending clients to another server when this one is full (RFC 8489 §10, RFC 8656 §7.2 step 11).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/random.h"

namespace turnpike::turn {

/// Where clients may go instead. A client tries the alternate over the transport it came with, so
/// those with TLS have servers of their own.
struct Alternates {
  std::vector<Endpoint> servers;      ///< for clients over UDP and TCP
  std::vector<Endpoint> tls_servers;  ///< for clients over TLS and DTLS
  std::string domain;  ///< name in the certificate of `tls_servers`; empty: the same as here
};

/// What one 300 (Try Alternate) names.
struct Redirection {
  Endpoint server;                ///< of the family that the client came with
  std::optional<Endpoint> other;  ///< of the other family, if there is one
};

/// One of the servers for `client`, drawn at random so that all get their share. Nothing when none
/// is of the client's family: a 300 must name one (RFC 8489 §10).
[[nodiscard]] std::optional<Redirection> choose_redirection(const Alternates& alternates,
                                                            const FiveTuple& client,
                                                            Random& random);

}  // namespace turnpike::turn
