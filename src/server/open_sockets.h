// Opens what a server listens at. All of these throw StartError.
#pragma once

#include <optional>
#include <vector>

#include "net/local_listener.h"
#include "net/tcp.h"
#include "server/listening.h"

namespace turnpike::server {

/// Can all of them be had? SO_REUSEPORT would let a second server join the first one's ports in
/// silence.
void check_listeners(const std::vector<Listener>& listeners);
/// Those of one worker, of `workers`.
[[nodiscard]] WorkerListeners open_listeners(const std::vector<Listener>& listeners,
                                             unsigned workers);
[[nodiscard]] std::vector<net::TcpListener> open_http(const Config& config);
/// The default listener is given up where something else has its port: two servers on one host, or
/// a developer's third.
[[nodiscard]] std::vector<net::TcpListener> open_metrics(const Config& config);
/// The default socket is given up where its directory is not there, or another server has it.
[[nodiscard]] std::optional<net::LocalListener> open_control(const Config& config);

}  // namespace turnpike::server
