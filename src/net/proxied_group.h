// Which of the sockets that share a UDP port gets a datagram that a balancer brings.
#pragma once

#include <system_error>

namespace turnpike::net {

/// Makes the kernel choose among the first `size` sockets of the SO_REUSEPORT group that the bound
/// UDP socket `descriptor` belongs to by the client that the PROXY protocol header (version 2)
/// names, instead of by the sender. Datagrams that name none go to the first socket.
[[nodiscard]] std::error_code spread_proxied_clients(int descriptor, unsigned size);

}  // namespace turnpike::net
