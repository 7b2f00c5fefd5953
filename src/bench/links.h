// The ways of all clients to one server: sockets or connections, with what is spoken on them.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/endpoint.h"
#include "base/time.h"

namespace turnpike::bench {

/// Where messages from the server go.
class MessageSink {
 public:
  /// `message` is whole, and valid during the call. Over streams its padding comes with it.
  virtual void on_message(ByteView message, Instant now) = 0;

 protected:
  MessageSink() = default;
  ~MessageSink() = default;
  MessageSink(const MessageSink&) = default;
  MessageSink& operator=(const MessageSink&) = default;
};

class Links {
 public:
  virtual ~Links() = default;
  Links(const Links&) = delete;
  Links& operator=(const Links&) = delete;

  /// Room for `bytes` of messages of `client`, each of `message_bytes` (the last may be shorter),
  /// to be filled in before anything else is called; they leave with the next flush(), over
  /// datagrams as one train. What was there before is left as it is.
  [[nodiscard]] virtual MutableByteView add(std::size_t client, std::size_t bytes,
                                            std::size_t message_bytes) = 0;
  /// Copies one whole `message` of `client`, which leaves with the next flush().
  void add_message(std::size_t client, ByteView message) {
    copy_bytes(message, add(client, message.size(), message.size()));
  }
  virtual void flush() = 0;
  /// Gives `sink` what has come, of some clients at least. False: nothing has. Throws BenchFailure
  /// when a connection has ended.
  virtual bool receive(MessageSink& sink) = 0;
  /// From now on `client` is somebody the server has never seen. Throws BenchFailure when this host
  /// cannot do that. Not for calling from a sink.
  virtual void renew(std::size_t client) = 0;
  /// Readable when receive() has something to do.
  [[nodiscard]] virtual int descriptor() const = 0;
  /// What the transport needs to go on by itself. Called now and then.
  virtual void on_tick() {}

 protected:
  Links() = default;
};

/// Whose addresses the clients have.
struct LinkOptions {
  Endpoint server;
  Transport transport = Transport::udp;
  std::size_t clients = 1;
  std::string server_name{};  ///< for TLS and DTLS
  /// Addresses of this host; clients are spread over them. Nothing: the kernel chooses.
  std::optional<IpPrefix> clients_from;
  /// renew() will be called so often that used addresses must not come again soon.
  bool renews = false;
};

/// Links over options.transport. Throws BenchFailure.
[[nodiscard]] std::unique_ptr<Links> open_links(const LinkOptions& options);

/// The address of number `index` in `prefix`, which is IPv4; what is beyond its end begins again.
/// One of each /24 comes before the second of any. The first and last of each are left out.
[[nodiscard]] IpAddress address_in(const IpPrefix& prefix, std::size_t index);
[[nodiscard]] std::size_t addresses_in(const IpPrefix& prefix);

}  // namespace turnpike::bench
