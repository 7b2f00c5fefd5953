// Clients over UDP. On addresses of a prefix many share one socket, which spares the load a
// descriptor, a wake-up and a system call for each; otherwise each has its own.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "bench/links.h"
#include "bench/udp_socket.h"
#include "net/poller.h"

namespace turnpike::bench {

class UdpLinks : public Links {
 public:
  /// Throws BenchFailure when this host has no socket or no such address.
  explicit UdpLinks(const LinkOptions& options);

  [[nodiscard]] MutableByteView add(std::size_t client, std::size_t bytes,
                                    std::size_t message_bytes) override;
  void flush() override;
  bool receive(MessageSink& sink) override;
  void renew(std::size_t client) override;
  [[nodiscard]] int descriptor() const override { return poller_.descriptor(); }

 protected:
  /// Takes what has come to the socket of that number.
  virtual void on_train(std::size_t socket, const IncomingTrain& train, MessageSink& sink,
                        Instant now);
  /// Whom `train` is for. Only with DTLS, whose records do not tell.
  [[nodiscard]] std::optional<std::size_t> client_of(std::size_t socket,
                                                     const IncomingTrain& train) const;

 private:
  /// Who a client is at present: a number that is used once in a long time.
  struct Identity {
    std::size_t socket = 0;
    std::optional<IpAddress> address;  // nothing: the socket's
  };

  [[nodiscard]] UdpSocket open_socket();
  void become(std::size_t client, std::size_t number);
  bool receive_from(std::size_t socket, MessageSink& sink);

  LinkOptions options_;
  net::SocketAddress server_;
  UdpBuffers buffers_;
  std::vector<UdpSocket> sockets_;
  std::vector<Identity> clients_;
  std::map<std::pair<std::size_t, IpAddress>, std::size_t> by_address_;  // with DTLS on a prefix
  std::size_t next_number_ = 0;
  net::Poller poller_;  // of all sockets
};

}  // namespace turnpike::bench
