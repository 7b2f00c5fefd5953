// Which addresses this host has, and which ones a host name stands for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/result.h"

namespace turnpike::net {

/// The addresses of all interfaces that are up, loopback included, each once, in the kernel's
/// order. Link-local IPv6 addresses are left out: they mean nothing without a scope. Empty when the
/// kernel does not tell.
[[nodiscard]] std::vector<IpAddress> interface_addresses();

/// The index of the interface called `name`, which may also be the index itself as text (RFC 4007
/// §11.2). Nothing when this host has no such interface.
[[nodiscard]] std::optional<std::uint32_t> interface_index(const std::string& name);

/// The name of the interface that has `address`; nothing when none has.
[[nodiscard]] std::optional<std::string> interface_with(const IpAddress& address);

/// The addresses that `host`, a name or an address, stands for, each once, the preferred ones first
/// (RFC 6724). Never empty. Blocks for as long as DNS takes: for the command line only.
/// Error: a sentence that names `host` and the reason.
[[nodiscard]] Result<std::vector<IpAddress>, std::string> resolve(const std::string& host);

}  // namespace turnpike::net
