// A DTLS client made with OpenSSL alone. Datagrams are values: the test is the network.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "net/certificates.h"

namespace turnpike::net {

struct DtlsClientOptions {
  int version_min = DTLS1_2_VERSION;
  int version_max = DTLS1_2_VERSION;
  std::string ciphers{};  ///< as OpenSSL writes them; empty: OpenSSL's own
  std::string alpn{};     ///< with length bytes, as on the wire; empty: no ALPN
};

/// Does not verify the server.
class DtlsClient {
 public:
  using Packet = std::vector<std::uint8_t>;

  explicit DtlsClient(const DtlsClientOptions& options = {})
      : context_{SSL_CTX_new(DTLS_client_method())} {
    SSL_CTX* const context = context_.get();
    SSL_CTX_set_security_level(context, 0);  // so that it can offer what the server must refuse
    SSL_CTX_set_min_proto_version(context, options.version_min);
    SSL_CTX_set_max_proto_version(context, options.version_max);
    SSL_CTX_set_options(context, SSL_OP_NO_QUERY_MTU);
    if (!options.ciphers.empty()) {
      REQUIRE(SSL_CTX_set_cipher_list(context, options.ciphers.c_str()) == 1);
    }
    SSL_CTX_set_info_callback(context, note_alert);
    ssl_.reset(SSL_new(context));
    SSL_set_app_data(ssl(), this);
    SSL_set_mtu(ssl(), 1400);
    BIO* const bio = BIO_new(method());
    BIO_set_data(bio, this);
    SSL_set_bio(ssl(), bio, bio);
    if (!options.alpn.empty()) {
      const ByteView alpn = bytes_of(options.alpn);
      SSL_set_alpn_protos(ssl(), alpn.data(), static_cast<unsigned>(alpn.size()));
    }
    SSL_set_connect_state(ssl());
  }
  DtlsClient(const DtlsClient&) = delete;
  DtlsClient& operator=(const DtlsClient&) = delete;

  [[nodiscard]] SSL* ssl() const { return ssl_.get(); }
  [[nodiscard]] bool is_connected() const { return SSL_is_init_finished(ssl()) == 1; }

  void take(ByteView datagram) { in_.emplace_back(datagram.begin(), datagram.end()); }
  /// Shakes hands, or reads everything there is.
  void work() {
    ERR_clear_error();
    if (!is_connected()) SSL_do_handshake(ssl());
    while (is_connected()) {
      Packet message(20'000);
      const int got = SSL_read(ssl(), message.data(), static_cast<int>(message.size()));
      if (got <= 0) break;
      message.resize(static_cast<std::size_t>(got));
      received.push_back(std::move(message));
    }
    ERR_clear_error();
  }
  /// Puts one record on its way.
  void send(ByteView message) {
    ERR_clear_error();
    REQUIRE(SSL_write(ssl(), message.data(), static_cast<int>(message.size())) ==
            static_cast<int>(message.size()));
  }
  /// What is to be sent, one entry a datagram.
  [[nodiscard]] std::vector<Packet> take_output() { return std::exchange(out_, {}); }
  /// All of it in one datagram, as a client may do with records.
  [[nodiscard]] Packet take_output_as_one() {
    Packet one;
    for (const Packet& each : take_output()) one.insert(one.end(), each.begin(), each.end());
    return one;
  }
  /// The first words, without a cookie.
  [[nodiscard]] Packet hello() {
    work();
    std::vector<Packet> output = take_output();
    REQUIRE(output.size() == 1);
    return std::move(output[0]);
  }

  /// Messages, one a record.
  std::vector<Packet> received;
  /// The latest alert of the server, as SSL_AD_…; -1 before.
  int alert = -1;

 private:
  static DtlsClient& self(BIO* bio) { return *static_cast<DtlsClient*>(BIO_get_data(bio)); }
  static int read(BIO* bio, char* to, int size) {
    BIO_clear_retry_flags(bio);
    DtlsClient& client = self(bio);
    if (client.in_.empty()) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const Packet datagram = std::move(client.in_.front());
    client.in_.pop_front();
    const std::size_t taken = std::min(datagram.size(), static_cast<std::size_t>(size));
    std::memcpy(to, datagram.data(), taken);
    return static_cast<int>(taken);
  }
  static int write(BIO* bio, const char* from, int size) {
    BIO_clear_retry_flags(bio);
    self(bio).out_.emplace_back(from, from + size);
    return size;
  }
  static long control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }
  static int create(BIO* bio) {
    BIO_set_init(bio, 1);
    return 1;
  }
  static const BIO_METHOD* method() {
    static const BIO_METHOD* const method = [] {
      BIO_METHOD* const made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "client");
      BIO_meth_set_read(made, read);
      BIO_meth_set_write(made, write);
      BIO_meth_set_ctrl(made, control);
      BIO_meth_set_create(made, create);
      return made;
    }();
    return method;
  }
  static void note_alert(const SSL* ssl, int where, int value) {
    if ((where & SSL_CB_READ_ALERT) != SSL_CB_READ_ALERT) return;
    static_cast<DtlsClient*>(SSL_get_app_data(ssl))->alert = value & 0xff;
  }

  std::deque<Packet> in_;
  std::vector<Packet> out_;
  std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>> context_;
  std::unique_ptr<SSL, FreeWith<SSL_free>> ssl_;
};

}  // namespace turnpike::net
