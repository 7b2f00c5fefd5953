// Clients over DTLS: UdpLinks with a session each, made when the client first has something to say.
#pragma once

#include <vector>

#include "bench/udp_links.h"
#include "net/tls_client.h"

namespace turnpike::bench {

class DtlsLinks final : public UdpLinks {
 public:
  /// Throws BenchFailure.
  explicit DtlsLinks(const LinkOptions& options);

  [[nodiscard]] MutableByteView add(std::size_t client, std::size_t bytes,
                                    std::size_t message_bytes) override;
  void flush() override;
  void renew(std::size_t client) override;
  void on_tick() override;

 private:
  using Bytes = std::vector<std::uint8_t>;
  struct Client {
    std::optional<net::TlsClientSession> session;
    std::vector<Bytes> waiting;  // messages, until the session is established
  };
  /// Messages in outbox_.
  struct Outgoing {
    std::size_t client;
    std::size_t bytes;
    std::size_t message_bytes;
  };

  void on_train(std::size_t socket, const IncomingTrain& train, MessageSink& sink,
                Instant now) override;
  void on_datagram(std::size_t number, ByteView datagram, MessageSink& sink, Instant now);
  void send(std::size_t number, ByteView messages, std::size_t message_bytes);
  void send_wire(std::size_t number, std::size_t datagram_bytes);
  [[noreturn]] void fail(const Client& client) const;

  LinkOptions options_;
  std::unique_ptr<net::TlsClientContext> context_;
  std::vector<Client> clients_;
  Bytes outbox_;
  std::size_t outbox_bytes_ = 0;
  std::vector<Outgoing> outgoing_;
  Bytes wire_;
  net::TlsClientSession::Plaintext plaintext_;
};

}  // namespace turnpike::bench
