// Clients over TCP and TLS: a connection each, made when the client first has something to say.
#pragma once

#include <vector>

#include "bench/links.h"
#include "net/poller.h"
#include "net/tls_client.h"

namespace turnpike::bench {

class StreamLinks final : public Links {
 public:
  /// Throws BenchFailure.
  explicit StreamLinks(const LinkOptions& options);
  ~StreamLinks() override;

  [[nodiscard]] MutableByteView add(std::size_t client, std::size_t bytes,
                                    std::size_t message_bytes) override;
  void flush() override;
  bool receive(MessageSink& sink) override;
  void renew(std::size_t client) override;
  [[nodiscard]] int descriptor() const override { return poller_.descriptor(); }

 private:
  using Bytes = std::vector<std::uint8_t>;
  struct Client {
    int descriptor = -1;
    bool is_connected = false;
    bool watches_writable = false;
    std::optional<net::TlsClientSession> session;
    Bytes waiting;   // plaintext, until the handshake is done
    Bytes unsent;    // what the kernel has not taken
    Bytes received;  // the beginning of a message
  };
  struct Outgoing {
    std::size_t client;
    std::size_t bytes;
  };

  void connect(std::size_t number);
  void close(Client& client);
  void on_connected(std::size_t number);
  void send(std::size_t number, ByteView plaintext);
  void write(std::size_t number, ByteView bytes);
  void on_writable(std::size_t number);
  bool read(std::size_t number, MessageSink& sink);
  void on_bytes(std::size_t number, ByteView bytes, MessageSink& sink, Instant now);
  void on_plaintext(Client& client, ByteView plaintext, MessageSink& sink, Instant now);
  void watch(std::size_t number);
  [[noreturn]] void fail(const std::string& why) const;

  LinkOptions options_;
  std::unique_ptr<net::TlsClientContext> context_;  // null: plain TCP
  std::vector<Client> clients_;
  std::size_t next_address_ = 0;
  net::Poller poller_;
  Bytes outbox_;
  std::size_t outbox_bytes_ = 0;
  std::vector<Outgoing> outgoing_;
  Bytes inbox_;
  Bytes wire_;
  net::TlsClientSession::Plaintext plaintext_;
};

}  // namespace turnpike::bench
