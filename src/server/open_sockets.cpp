#include "server/open_sockets.h"

#include <fmt/format.h>

#include "server/log.h"
#include "server/start_error.h"

namespace turnpike::server {
namespace {

/// Nothing when `listener` can be had.
std::error_code probe(const Listener& listener) {
  if (!is_stream(listener.transport)) {
    const auto port = net::UdpPort::open({.bind = listener.endpoint});
    return port ? std::error_code{} : port.error();
  }
  const auto socket = net::TcpListener::open({.bind = listener.endpoint});
  return socket ? std::error_code{} : socket.error();
}

StartError cannot_listen(std::string_view what, std::string_view key,
                         const std::error_code& error) {
  std::string remedy = "stop the program that has the port, or change ";
  if (error == std::errc::permission_denied) {
    remedy =
        "ports below 1024 need CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=); or change ";
  } else if (error == std::errc::address_not_available) {
    remedy = "this host has no such address; change ";
  }
  return {fmt::format("cannot listen on {}: {}; {}{}", what, error.message(), remedy, key)};
}

StartError cannot_listen(const Listener& listener, const std::error_code& error) {
  return cannot_listen(described(listener), fmt::format("listen.{}", to_string(listener.transport)),
                       error);
}

StartError cannot_listen_http(const Endpoint& endpoint, const std::error_code& error) {
  return cannot_listen("http " + endpoint.to_string(), "listen.http", error);
}

net::UdpPort open_udp(const Listener& listener, unsigned workers) {
  constexpr int buffer_bytes = 4 << 20;  // bursts of many clients meet in one socket
  auto port = net::UdpPort::open({.bind = listener.endpoint,
                                  .reuse_port = workers > 1,
                                  .proxied_group = listener.expects_proxy ? workers : 0,
                                  .destination_address = listener.endpoint.address.is_any(),
                                  .receive_trains = true,
                                  .receive_buffer_bytes = buffer_bytes,
                                  .send_buffer_bytes = buffer_bytes});
  if (port) return std::move(*port);
  throw cannot_listen(listener, port.error());
}

}  // namespace

void check_listeners(const std::vector<Listener>& listeners) {
  for (const Listener& listener : listeners) {
    if (const auto error = probe(listener)) throw cannot_listen(listener, error);
  }
}

WorkerListeners open_listeners(const std::vector<Listener>& listeners, unsigned workers) {
  WorkerListeners opened;
  for (const Listener& listener : listeners) {
    if (!is_stream(listener.transport)) {
      opened.udp.push_back({open_udp(listener, workers), listener.expects_proxy, listener.service});
      continue;
    }
    auto socket = net::TcpListener::open({.bind = listener.endpoint, .reuse_port = workers > 1});
    if (!socket) throw cannot_listen(listener, socket.error());
    opened.streams.push_back({std::move(*socket), listener.transport, listener.expects_proxy});
  }
  return opened;
}

std::vector<net::TcpListener> open_http(const Config& config) {
  std::vector<net::TcpListener> listeners;
  if (!config.signaling.enabled) return listeners;
  for (const ListenAddress& address : config.listen.http) {
    for (const Endpoint& endpoint : endpoints_of({Transport::tcp, address})) {
      auto socket = net::TcpListener::open({.bind = endpoint});
      if (!socket) throw cannot_listen_http(endpoint, socket.error());
      listeners.push_back(std::move(*socket));
    }
  }
  return listeners;
}

std::vector<net::TcpListener> open_metrics(const Config& config) {
  std::vector<net::TcpListener> listeners;
  const auto& address = config.metrics.listen;
  if (!address) return listeners;
  for (const Endpoint& endpoint : endpoints_of({Transport::tcp, *address})) {
    auto socket = net::TcpListener::open({.bind = endpoint});
    if (socket) {
      listeners.push_back(std::move(*socket));
    } else if (config.metrics.is_default) {
      log_event(LogLevel::warn, "no_metrics",
                {{"address", endpoint.to_string()}, {"error", socket.error().message()}});
    } else {
      throw cannot_listen("http " + endpoint.to_string(), "metrics.listen", socket.error());
    }
  }
  return listeners;
}

std::optional<net::LocalListener> open_control(const Config& config) {
  const std::string& path = config.control.socket;
  if (path.empty()) return std::nullopt;
  auto listener = net::LocalListener::open(path);
  if (listener) return std::move(*listener);
  const std::error_code& error = listener.error();
  if (config.control.is_default) {
    log_event(LogLevel::info, "no_control_socket", {{"path", path}, {"error", error.message()}});
    return std::nullopt;
  }
  std::string remedy = "make its directory, writable for this server, or change control.socket";
  if (error == std::errc::address_in_use) {
    remedy = "another server runs with this socket: stop it, or change control.socket";
  } else if (error == std::errc::file_exists) {
    remedy = "there is a file that is no socket: remove it, or change control.socket";
  }
  throw StartError{fmt::format("cannot listen on {}: {}; {}", path, error.message(), remedy)};
}

}  // namespace turnpike::server
