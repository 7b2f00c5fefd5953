#include "net/tls_client.h"

#include <algorithm>
#include <new>

#include "net/tls_openssl.h"

namespace turnpike::net {
namespace {

constexpr auto closed = "the connection was closed";
/// No flight of a client is larger, and no path of a test smaller: records are not fragmented.
constexpr long datagram_bytes = 1400;

}  // namespace

struct TlsClientContext::Native {
  SslContextPtr context;
  std::string server_name;  // empty: none is sent
  bool is_datagram = false;
};

struct TlsClientSession::Native {
  SslPtr ssl;
  BIO* in = nullptr;  // both owned by ssl
  BIO* out = nullptr;
  bool is_datagram = false;
};

TlsClientContext::TlsClientContext(std::unique_ptr<Native> native) : native_(std::move(native)) {}
TlsClientContext::~TlsClientContext() = default;

Result<std::unique_ptr<TlsClientContext>, std::string> TlsClientContext::make(
    Transport transport, const std::string& server_name) {
  auto native = std::make_unique<Native>();
  native->is_datagram = transport == Transport::dtls;
  native->context.reset(
      SSL_CTX_new(native->is_datagram ? DTLS_client_method() : TLS_client_method()));
  const int oldest = native->is_datagram ? DTLS1_2_VERSION : TLS1_2_VERSION;
  if (!native->context || SSL_CTX_set_min_proto_version(native->context.get(), oldest) != 1) {
    return Failure<std::string>{openssl_reason(closed)};
  }
  if (!IpAddress::parse(server_name)) native->server_name = server_name;
  return std::unique_ptr<TlsClientContext>{new TlsClientContext{std::move(native)}};
}

TlsClientSession::TlsClientSession(TlsClientContext& context, Bytes& wire)
    : native_(std::make_unique<Native>()) {
  ERR_clear_error();
  native_->is_datagram = context.native_->is_datagram;
  native_->ssl.reset(SSL_new(context.native_->context.get()));
  native_->in = BIO_new(BIO_s_mem());
  native_->out = BIO_new(BIO_s_mem());
  SSL* const ssl = native_->ssl.get();
  if (ssl == nullptr || native_->in == nullptr || native_->out == nullptr) throw std::bad_alloc{};
  BIO_set_mem_eof_return(native_->in, -1);  // empty is not the end
  SSL_set_bio(ssl, native_->in, native_->out);
  SSL_set_connect_state(ssl);
  if (native_->is_datagram) {
    SSL_set_options(ssl, SSL_OP_NO_QUERY_MTU);
    SSL_ctrl(ssl, SSL_CTRL_SET_MTU, datagram_bytes, nullptr);
  }
  if (const std::string& name = context.native_->server_name; !name.empty()) {
    // SSL_set_tlsext_host_name() without its C casts; the name is copied.
    SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             const_cast<char*>(name.c_str()));
  }
  shake_hands();
  drain(wire);
}

TlsClientSession::~TlsClientSession() = default;
TlsClientSession::TlsClientSession(TlsClientSession&& other) noexcept = default;
TlsClientSession& TlsClientSession::operator=(TlsClientSession&& other) noexcept = default;

void TlsClientSession::shake_hands() {
  is_established_ = SSL_do_handshake(native_->ssl.get()) == 1;
}

bool TlsClientSession::receive(ByteView from_network, Plaintext& plaintext, Bytes& wire) {
  ERR_clear_error();
  SSL* const ssl = native_->ssl.get();
  BIO_write(native_->in, from_network.data(), static_cast<int>(from_network.size()));
  if (!is_established_) shake_hands();
  int count = 1;
  while (is_established_ && count > 0) {
    const std::size_t before = plaintext.bytes.size();
    plaintext.bytes.resize(before + record_bytes_max);
    count = SSL_read(ssl, plaintext.bytes.data() + before, static_cast<int>(record_bytes_max));
    const auto piece = static_cast<std::size_t>(std::max(count, 0));
    plaintext.bytes.resize(before + piece);
    if (piece > 0) plaintext.pieces.push_back(piece);
  }
  drain(wire);
  const int error = SSL_get_error(ssl, is_established_ ? count : -1);
  return error == SSL_ERROR_WANT_READ || fail();
}

bool TlsClientSession::send(ByteView plaintext, Bytes& wire) {
  ERR_clear_error();
  const auto size = static_cast<int>(plaintext.size());
  const bool is_sent = SSL_write(native_->ssl.get(), plaintext.data(), size) == size;
  drain(wire);
  return is_sent || fail();
}

void TlsClientSession::on_timer(Bytes& wire) {
  if (!native_->is_datagram || is_established_) return;
  ERR_clear_error();
  SSL_ctrl(native_->ssl.get(), DTLS_CTRL_HANDLE_TIMEOUT, 0, nullptr);
  drain(wire);
}

void TlsClientSession::drain(Bytes& wire) {
  const std::size_t pending = BIO_ctrl_pending(native_->out);
  if (pending == 0) return;
  const std::size_t before = wire.size();
  wire.resize(before + pending);
  BIO_read(native_->out, wire.data() + before, static_cast<int>(pending));
}

bool TlsClientSession::fail() {
  problem_ = openssl_reason(closed);
  return false;
}

}  // namespace turnpike::net
