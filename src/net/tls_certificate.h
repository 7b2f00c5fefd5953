// What can be said of a certificate file before anybody has connected.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace turnpike::net {

struct CertificateFacts {
  WallTime not_before;
  WallTime not_after;
  std::vector<std::string> names;  ///< DNS names and addresses that it is for
  bool is_for_name = false;        ///< it is valid for the name that was asked about
  /// Why a client that trusts what this system trusts would not trust it, in OpenSSL's words, dates
  /// and name left out; empty: it would.
  std::string chain_problem;
};

/// Reads a PEM chain, the server's own certificate first. `name` is a host name or an address.
/// Error: a sentence.
[[nodiscard]] Result<CertificateFacts, std::string> inspect_certificate(const std::string& file,
                                                                        const std::string& name);

}  // namespace turnpike::net
