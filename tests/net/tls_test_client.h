// A TLS client made with OpenSSL alone, and the two ends joined in memory.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "net/certificates.h"
#include "net/tls.h"

namespace turnpike::net {

using Bytes = std::vector<std::uint8_t>;

struct ClientOptions {
  int version_min = TLS1_2_VERSION;
  int version_max = TLS1_3_VERSION;
  /// For TLS 1.2, as OpenSSL writes them; empty: OpenSSL's own.
  std::string ciphers;
  /// For TLS 1.3.
  std::string groups;
  /// With length bytes, as on the wire; empty: no ALPN.
  std::string alpn;
  /// To resume.
  SSL_SESSION* session = nullptr;
};

/// Does not verify the server.
class TlsTestClient {
 public:
  explicit TlsTestClient(const ClientOptions& options = {})
      : context_{SSL_CTX_new(TLS_client_method())} {
    SSL_CTX* const context = context_.get();
    SSL_CTX_set_security_level(context, 0);  // so that it can offer what the server must refuse
    SSL_CTX_set_min_proto_version(context, options.version_min);
    SSL_CTX_set_max_proto_version(context, options.version_max);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT);
    if (!options.ciphers.empty()) {
      REQUIRE(SSL_CTX_set_cipher_list(context, options.ciphers.c_str()) == 1);
    }
    if (!options.groups.empty()) {
      REQUIRE(SSL_CTX_set1_groups_list(context, options.groups.c_str()) == 1);
    }
    SSL_CTX_set_info_callback(context, note_alert);
    ssl_.reset(SSL_new(context));
    SSL_set_app_data(ssl_.get(), this);
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(in_, -1);
    SSL_set_bio(ssl_.get(), in_, out_);
    if (!options.alpn.empty()) {
      const ByteView alpn = bytes_of(options.alpn);
      SSL_set_alpn_protos(ssl_.get(), alpn.data(), static_cast<unsigned>(alpn.size()));
    }
    if (options.session != nullptr) SSL_set_session(ssl_.get(), options.session);
    SSL_set_connect_state(ssl_.get());
  }
  TlsTestClient(const TlsTestClient&) = delete;
  TlsTestClient& operator=(const TlsTestClient&) = delete;

  [[nodiscard]] SSL* ssl() const { return ssl_.get(); }

  void take(ByteView from_server) {
    BIO_write(in_, from_server.data(), static_cast<int>(from_server.size()));
  }
  /// Shakes hands, or reads everything there is.
  void work() {
    ERR_clear_error();
    if (SSL_in_init(ssl())) SSL_do_handshake(ssl());
    while (!SSL_in_init(ssl())) {
      Bytes chunk(20'000);
      const int got = SSL_read(ssl(), chunk.data(), static_cast<int>(chunk.size()));
      if (got <= 0) break;
      received.append(text_of(ByteView{chunk}.first(static_cast<std::size_t>(got))));
    }
    ERR_clear_error();
  }
  void send(std::string_view text) const { REQUIRE(try_send(text)); }
  /// Without Catch, which is not for threads.
  [[nodiscard]] bool try_send(std::string_view text) const {
    ERR_clear_error();
    const int size = static_cast<int>(text.size());
    return SSL_write(ssl(), text.data(), size) == size;
  }
  /// What is to be sent.
  [[nodiscard]] Bytes take_output() const {
    Bytes output(BIO_ctrl_pending(out_));
    if (!output.empty()) BIO_read(out_, output.data(), static_cast<int>(output.size()));
    return output;
  }

  std::string received;
  /// The latest alert of the server, as SSL_AD_…; -1 before.
  int alert = -1;

 private:
  static void note_alert(const SSL* ssl, int where, int value) {
    if ((where & SSL_CB_READ_ALERT) != SSL_CB_READ_ALERT) return;
    static_cast<TlsTestClient*>(SSL_get_app_data(ssl))->alert = value & 0xff;
  }

  std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>> context_;
  std::unique_ptr<SSL, FreeWith<SSL_free>> ssl_;
  BIO* in_;   // of ssl_
  BIO* out_;  // of ssl_
};

/// A client and a session. Bytes go between them in pieces of `piece` bytes.
class TlsPair {
 public:
  explicit TlsPair(std::shared_ptr<const TlsContext> context, const ClientOptions& options = {})
      : client{options}, server{std::move(context)} {}

  /// Feeds the server, in pieces.
  void to_server(ByteView bytes) {
    while (!bytes.empty()) {
      const ByteView now = bytes.first(std::min(piece, bytes.size()));
      bytes = bytes.subspan(now.size());
      Bytes plaintext;
      status = server.receive(now, plaintext, wire);
      received.append(text_of(plaintext));
    }
  }
  /// Feeds the client.
  void to_client() {
    ByteView bytes{wire};
    while (!bytes.empty()) {
      const ByteView now = bytes.first(std::min(piece, bytes.size()));
      bytes = bytes.subspan(now.size());
      client.take(now);
      client.work();
    }
    wire.clear();
  }
  /// Until both are silent.
  void exchange() {
    client.work();
    for (Bytes bytes = client.take_output(); !bytes.empty(); bytes = client.take_output()) {
      to_server(bytes);
      to_client();
    }
  }
  /// Shakes hands.
  void connect() {
    exchange();
    REQUIRE(server.is_established());
    REQUIRE(SSL_is_init_finished(client.ssl()) == 1);
    REQUIRE(status == TlsSession::Status::open);
  }
  void server_sends(std::string_view text) {
    REQUIRE(server.send(bytes_of(text), wire) == TlsSession::Status::open);
  }

  TlsTestClient client;
  TlsSession server;
  std::size_t piece = 100'000;
  TlsSession::Status status = TlsSession::Status::open;
  /// What the server has decrypted.
  std::string received;
  /// What the server wants sent.
  Bytes wire;
};

}  // namespace turnpike::net
