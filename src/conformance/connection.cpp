#include "conformance/connection.h"

namespace turnpike::conformance {
namespace {

constexpr seconds write_timeout{5};

class UdpConnection final : public Connection {
 public:
  UdpConnection(Socket socket, const ConnectionOptions& options)
      : socket_(std::move(socket)), server_(options.server), any_source_(options.any_source) {}

  // A refusal is the memory of an earlier ICMP error, and goes away by being told.
  bool send(ByteView bytes) override {
    if (any_source_) return socket_.send_to(bytes, server_);
    return socket_.send(bytes, clock_now()) || socket_.send(bytes, clock_now());
  }
  bool send_to(ByteView datagram, const Endpoint& to) override {
    return socket_.send_to(datagram, to);
  }
  Result<Received, Stop> receive(Instant until) override { return socket_.receive(until); }
  [[nodiscard]] Endpoint local() const override { return socket_.local(); }
  [[nodiscard]] Socket* socket() override { return &socket_; }

 private:
  Socket socket_;
  Endpoint server_;
  bool any_source_;
};

class TcpConnection final : public Connection {
 public:
  TcpConnection(Socket socket, const Endpoint& server)
      : socket_(std::move(socket)), server_(server) {}

  bool send(ByteView bytes) override { return socket_.send(bytes, clock_now() + write_timeout); }
  Result<Received, Stop> receive(Instant until) override {
    auto received = socket_.receive(until);
    if (received) received->from = server_;
    return received;
  }
  [[nodiscard]] Endpoint local() const override { return socket_.local(); }
  void reset_on_close() override { socket_.reset_on_close(); }
  [[nodiscard]] Socket* socket() override { return &socket_; }

 private:
  Socket socket_;
  Endpoint server_;
};

class SecuredConnection final : public Connection {
 public:
  SecuredConnection(net::TlsConnection client, const Endpoint& server)
      : client_(std::move(client)), server_(server) {}

  bool send(ByteView bytes) override { return client_.send(bytes, clock_now() + write_timeout); }
  Result<Received, Stop> receive(Instant until) override {
    auto bytes = client_.receive(until);
    if (bytes) return Received{server_, std::move(*bytes)};
    return Failure{bytes.error() == net::TlsStop::closed ? Stop::closed : Stop::deadline};
  }
  [[nodiscard]] Endpoint local() const override { return client_.local(); }
  [[nodiscard]] std::string alpn() const override { return client_.alpn(); }
  [[nodiscard]] std::string version() const override { return client_.version(); }

 private:
  net::TlsConnection client_;
  Endpoint server_;
};

Failure<ConnectError> no_connection(std::string text) {
  return Failure<ConnectError>{{false, std::move(text)}};
}

}  // namespace

bool Connection::send_to(ByteView /*datagram*/, const Endpoint& /*to*/) { return false; }

Result<std::unique_ptr<Connection>, ConnectError> Connection::open(const ConnectionOptions& options,
                                                                   Instant until) {
  switch (options.transport) {
    case Transport::udp: {
      const Endpoint any{IpAddress::any(options.server.family()), 0};
      auto socket = Socket::udp(options.local.value_or(any));
      if (!socket) return no_connection(socket.error());
      if (!options.any_source && !socket->connect(options.server)) {
        return no_connection("there is no route");
      }
      return std::make_unique<UdpConnection>(std::move(*socket), options);
    }
    case Transport::tcp: {
      auto socket = Socket::tcp(options.server, until, options.local);
      if (!socket) return no_connection(socket.error());
      return std::make_unique<TcpConnection>(std::move(*socket), options.server);
    }
    case Transport::tls:
    case Transport::dtls:
      break;
  }
  auto client = net::TlsConnection::connect(options.transport, options.server, options.tls, until);
  if (!client) {
    const bool handshake = client.error().kind == net::TlsConnectError::Kind::handshake;
    return Failure<ConnectError>{{handshake, client.error().text}};
  }
  return std::make_unique<SecuredConnection>(std::move(*client), options.server);
}

}  // namespace turnpike::conformance
