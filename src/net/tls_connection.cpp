#include "net/tls_connection.h"

#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <system_error>

#include "net/clock.h"
#include "net/socket_address.h"
#include "net/tls_openssl.h"

namespace turnpike::net {
namespace {

int native_version(Transport transport, TlsVersion version) {
  const bool is_dtls = transport == Transport::dtls;
  switch (version) {
    case TlsVersion::v1_0:
      return is_dtls ? DTLS1_VERSION : TLS1_VERSION;
    case TlsVersion::v1_1:
      return is_dtls ? DTLS1_VERSION : TLS1_1_VERSION;
    case TlsVersion::v1_2:
      return is_dtls ? DTLS1_2_VERSION : TLS1_2_VERSION;
    case TlsVersion::v1_3:
      break;
  }
  return is_dtls ? DTLS1_2_VERSION : TLS1_3_VERSION;
}

/// A list as ALPN writes it: each name behind its length (RFC 7301 §3.1).
std::vector<std::uint8_t> alpn_wire(const std::vector<std::string>& names) {
  std::vector<std::uint8_t> wire;
  for (const std::string& name : names) {
    wire.push_back(static_cast<std::uint8_t>(name.size()));
    wire.insert(wire.end(), name.begin(), name.end());
  }
  return wire;
}

/// Waits for `events` on `descriptor`, at most until `until`.
bool wait_for(int descriptor, short events, Instant until) {
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(until - read_clock().instant);
    const auto timeout = std::clamp<std::int64_t>(left.count(), 0, 60'000);
    pollfd waiting{descriptor, events, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(timeout));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
    if (read_clock().instant >= until) return false;
  }
}

Failure<TlsConnectError> network_error(int error) {
  return Failure<TlsConnectError>{
      {TlsConnectError::Kind::network, std::generic_category().message(error)}};
}

Failure<TlsConnectError> handshake_error(std::string text) {
  return Failure<TlsConnectError>{{TlsConnectError::Kind::handshake, std::move(text)}};
}

/// 0, or the error.
int connect_socket(int descriptor, const Endpoint& server, Instant until) {
  SocketAddress native = to_socket_address(server);
  if (::connect(descriptor, native.pointer(), native.size) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  if (!wait_for(descriptor, POLLOUT, until)) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

SslContextPtr make_context(Transport transport, const TlsConnectionOptions& options) {
  SslContextPtr context{
      SSL_CTX_new(transport == Transport::dtls ? DTLS_client_method() : TLS_client_method())};
  if (!context) return nullptr;
  SSL_CTX* const raw = context.get();
  // Old versions are offered only to see them refused, and need this level for that.
  if (options.min_version < TlsVersion::v1_2) SSL_CTX_set_security_level(raw, 0);
  if (SSL_CTX_set_min_proto_version(raw, native_version(transport, options.min_version)) != 1 ||
      SSL_CTX_set_max_proto_version(raw, native_version(transport, options.max_version)) != 1) {
    return nullptr;
  }
  if (options.verify) {
    if (SSL_CTX_set_default_verify_paths(raw) != 1) return nullptr;
    SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
  }
  return context;
}

bool name_server(SSL* ssl, const TlsConnectionOptions& options) {
  if (options.server_name.empty()) return !options.verify;
  const bool is_address = IpAddress::parse(options.server_name).has_value();
  if (!is_address) {
    // SSL_set_tlsext_host_name() without its C casts; the name is copied.
    auto* const name = const_cast<char*>(options.server_name.c_str());
    if (SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name) != 1) {
      return false;
    }
  }
  if (!options.verify) return true;
  if (is_address) {
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), options.server_name.c_str()) == 1;
  }
  return SSL_set1_host(ssl, options.server_name.c_str()) == 1;
}

}  // namespace

struct TlsConnection::Native {
  ~Native() {
    ssl.reset();
    if (descriptor >= 0) ::close(descriptor);
  }

  /// Runs `operation`, an SSL_… call, until it is done, fails, or `until` comes.
  template <class Operation>
  std::optional<int> drive(Operation operation, Instant until) {
    for (;;) {
      ERR_clear_error();
      const int result = operation();
      if (result > 0) return result;
      last_error = SSL_get_error(ssl.get(), result);
      if (last_error != SSL_ERROR_WANT_READ && last_error != SSL_ERROR_WANT_WRITE) return result;
      const short events = last_error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
      // DTLS sends its flights again by a timer of its own.
      timeval left{};
      Instant wake = until;
      if (is_datagram && DTLSv1_get_timeout(ssl.get(), &left) == 1) {
        wake = std::min(until, read_clock().instant + seconds{left.tv_sec} +
                                   std::chrono::microseconds{left.tv_usec});
      }
      if (wait_for(descriptor, events, wake)) continue;
      if (read_clock().instant >= until) return std::nullopt;
      if (is_datagram) DTLSv1_handle_timeout(ssl.get());
    }
  }

  int descriptor = -1;
  bool is_datagram = false;
  int last_error = 0;
  bool is_over = false;
  SslContextPtr context;
  SslPtr ssl;
};

TlsConnection::TlsConnection() : native_(std::make_unique<Native>()) {}
TlsConnection::~TlsConnection() { close(); }
TlsConnection::TlsConnection(TlsConnection&& other) noexcept = default;
TlsConnection& TlsConnection::operator=(TlsConnection&& other) noexcept {
  if (this != &other) {
    close();
    native_ = std::move(other.native_);
    local_ = other.local_;
  }
  return *this;
}

Result<TlsConnection, TlsConnectError> TlsConnection::connect(Transport transport,
                                                              const Endpoint& server,
                                                              const TlsConnectionOptions& options,
                                                              Instant until) {
  TlsConnection client;
  Native& native = *client.native_;
  native.is_datagram = transport == Transport::dtls;
  const int type = native.is_datagram ? SOCK_DGRAM : SOCK_STREAM;
  native.descriptor =
      ::socket(native_family(server.family()), type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (native.descriptor < 0) return network_error(errno);
  if (const int error = connect_socket(native.descriptor, server, until)) {
    return network_error(error);
  }
  SocketAddress own;
  if (::getsockname(native.descriptor, own.pointer(), &own.size) != 0) return network_error(errno);
  client.local_ = to_endpoint(own);

  native.context = make_context(transport, options);
  if (!native.context) return handshake_error("OpenSSL refuses these versions");
  native.ssl.reset(SSL_new(native.context.get()));
  if (!native.ssl) return handshake_error("out of memory");
  SSL* const ssl = native.ssl.get();
  BIO* const bio = native.is_datagram ? BIO_new_dgram(native.descriptor, BIO_NOCLOSE)
                                      : BIO_new_socket(native.descriptor, BIO_NOCLOSE);
  if (bio == nullptr) return handshake_error("out of memory");
  if (native.is_datagram) {
    SocketAddress peer = to_socket_address(server);
    BIO_ctrl(bio, BIO_CTRL_DGRAM_SET_CONNECTED, 0, peer.pointer());
  }
  SSL_set_bio(ssl, bio, bio);
  if (!name_server(ssl, options)) return handshake_error("--verify needs the server's name");
  const auto offered = alpn_wire(options.alpn);
  if (!offered.empty()) {
    SSL_set_alpn_protos(ssl, offered.data(), static_cast<unsigned>(offered.size()));
  }
  if (options.resume) SSL_set_session(ssl, options.resume.get());
  const auto done = native.drive([ssl] { return SSL_connect(ssl); }, until);
  if (!done) return network_error(ETIMEDOUT);
  if (*done <= 0) {
    const int error = errno;
    native.is_over = true;
    if (native.last_error == SSL_ERROR_SYSCALL && native.is_datagram && error == ECONNREFUSED) {
      return network_error(error);
    }
    const long verified = SSL_get_verify_result(ssl);
    if (options.verify && verified != X509_V_OK) {
      return handshake_error(std::string{"certificate: "} +
                             X509_verify_cert_error_string(verified));
    }
    return handshake_error(openssl_reason("the connection was closed"));
  }
  return client;
}

bool TlsConnection::send(ByteView plaintext, Instant until) {
  if (!native_ || native_->is_over) return false;
  SSL* const ssl = native_->ssl.get();
  while (!plaintext.empty()) {
    const std::size_t piece = std::min(plaintext.size(), record_bytes_max);
    const auto written = native_->drive(
        [&] { return SSL_write(ssl, plaintext.data(), static_cast<int>(piece)); }, until);
    if (!written || *written <= 0) {
      native_->is_over = true;
      return false;
    }
    plaintext = plaintext.subspan(static_cast<std::size_t>(*written));
  }
  return true;
}

/// OpenSSL writes each record at once; into memory first, they stay together.
bool TlsConnection::send_together(std::span<const std::vector<std::uint8_t>> plaintexts) {
  if (!native_ || native_->is_over || !native_->is_datagram) return false;
  SSL* const ssl = native_->ssl.get();
  BIO* const socket = SSL_get_wbio(ssl);
  BIO* const memory = BIO_new(BIO_s_mem());
  if (memory == nullptr || BIO_up_ref(socket) != 1) return false;
  SSL_set0_wbio(ssl, memory);
  bool all_written = true;
  for (const auto& plaintext : plaintexts) {
    all_written &= SSL_write(ssl, plaintext.data(), static_cast<int>(plaintext.size())) > 0;
  }
  std::vector<std::uint8_t> datagram(BIO_ctrl_pending(memory));
  BIO_read(memory, datagram.data(), static_cast<int>(datagram.size()));
  SSL_set0_wbio(ssl, socket);  // frees `memory`
  return all_written && ::send(native_->descriptor, datagram.data(), datagram.size(), 0) ==
                            static_cast<ssize_t>(datagram.size());
}

Result<std::vector<std::uint8_t>, TlsStop> TlsConnection::receive(Instant until) {
  if (!native_ || native_->is_over) return Failure{TlsStop::closed};
  SSL* const ssl = native_->ssl.get();
  std::vector<std::uint8_t> bytes(record_bytes_max);
  const auto count = native_->drive(
      [&] { return SSL_read(ssl, bytes.data(), static_cast<int>(bytes.size())); }, until);
  if (!count) return Failure{TlsStop::deadline};
  if (*count <= 0) {
    native_->is_over = true;
    return Failure{TlsStop::closed};
  }
  bytes.resize(static_cast<std::size_t>(*count));
  return bytes;
}

void TlsConnection::close() {
  if (!native_) return;
  if (native_->ssl && !native_->is_over && SSL_is_init_finished(native_->ssl.get()) == 1) {
    ERR_clear_error();
    SSL_shutdown(native_->ssl.get());
  }
  native_.reset();
  ERR_clear_error();
}

std::string TlsConnection::alpn() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  if (native_) SSL_get0_alpn_selected(native_->ssl.get(), &name, &size);
  return name == nullptr ? std::string{} : std::string{text_of(ByteView{name, size})};
}

std::string TlsConnection::version() const {
  return native_ ? SSL_get_version(native_->ssl.get()) : std::string{};
}

std::shared_ptr<SSL_SESSION> TlsConnection::resumption() const {
  if (!native_) return nullptr;
  return {SSL_get1_session(native_->ssl.get()), SSL_SESSION_free};
}

bool TlsConnection::is_resumed() const {
  return native_ && SSL_session_reused(native_->ssl.get()) == 1;
}

bool TlsConnection::certificate_is_in_force() const {
  const X509* const certificate = native_ ? SSL_get0_peer_certificate(native_->ssl.get()) : nullptr;
  return certificate != nullptr && X509_cmp_current_time(X509_get0_notBefore(certificate)) < 0 &&
         X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0;
}

}  // namespace turnpike::net
