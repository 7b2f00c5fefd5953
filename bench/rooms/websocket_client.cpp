#include "rooms/websocket_client.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <new>
#include <stdexcept>
#include <system_error>

namespace turnpike::bench {
namespace {

constexpr std::string_view request =
    "GET /v1/ws HTTP/1.1\r\n"
    "Host: 127.0.0.1\r\n"
    "Connection: Upgrade\r\n"
    "Upgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dHVybnBpa2UgYmVuY2hlcw==\r\n"
    "Sec-WebSocket-Protocol: turnpike.v1\r\n\r\n";

void check(bool is_well, const char* what) {
  if (!is_well) throw std::system_error{errno, std::generic_category(), what};
}

}  // namespace

struct WebSocketClient::Callbacks {
  static WebSocketClient& client_of(void* user) { return *static_cast<WebSocketClient*>(user); }

  static int failure() {
    return errno == EAGAIN || errno == EINTR ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE;
  }

  static ssize_t read(wslay_event_context* context, std::uint8_t* buffer, std::size_t size,
                      int /*flags*/, void* user) {
    const ssize_t got = ::recv(client_of(user).descriptor_, buffer, size, 0);
    if (got > 0) return got;
    wslay_event_set_error(context, got == 0 ? WSLAY_ERR_CALLBACK_FAILURE : failure());
    return -1;
  }

  static ssize_t write(wslay_event_context* context, const std::uint8_t* data, std::size_t size,
                       int /*flags*/, void* user) {
    const ssize_t sent = ::send(client_of(user).descriptor_, data, size, MSG_NOSIGNAL);
    if (sent < 0) wslay_event_set_error(context, failure());
    return sent;
  }

  /// xorshift: a mask keeps proxies from being fooled, and there is none here.
  static int make_mask(wslay_event_context* /*context*/, std::uint8_t* mask, std::size_t size,
                       void* user) {
    std::uint32_t& state = client_of(user).mask_;
    for (std::size_t i = 0; i < size; ++i) {
      state ^= state << 13;
      state ^= state >> 17;
      state ^= state << 5;
      mask[i] = static_cast<std::uint8_t>(state >> 24);
    }
    return 0;
  }

  static void on_frame_start(wslay_event_context* /*context*/,
                             const wslay_event_on_frame_recv_start_arg* frame, void* user) {
    client_of(user).is_in_close_frame_ = frame->opcode == WSLAY_CONNECTION_CLOSE;
  }

  /// The close code is taken from the frame itself: wslay 1.1.1 takes those from 1012 to 1014,
  /// which are younger than RFC 6455, for a breach of the protocol and does not tell them.
  static void on_frame_chunk(wslay_event_context* /*context*/,
                             const wslay_event_on_frame_recv_chunk_arg* chunk, void* user) {
    WebSocketClient& client = client_of(user);
    for (std::size_t i = 0; client.is_in_close_frame_ && i < chunk->data_length; ++i) {
      if (client.close_bytes_++ >= 2) return;
      client.close_code_ = static_cast<std::uint16_t>(client.close_code_ << 8 | chunk->data[i]);
    }
  }

  static void on_message(wslay_event_context* /*context*/,
                         const wslay_event_on_msg_recv_arg* message, void* user) {
    WebSocketClient& client = client_of(user);
    if (message->opcode != WSLAY_TEXT_FRAME) return;
    (*client.on_text_)({reinterpret_cast<const char*>(message->msg), message->msg_length});
  }
};

WebSocketClient::WebSocketClient(std::uint16_t port)
    : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  check(descriptor_ >= 0, "socket");
  const int on = 1;
  check(setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "setsockopt");
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_port = htons(port);
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  check(::connect(descriptor_, reinterpret_cast<const sockaddr*>(&server), sizeof server) == 0,
        "connect");
  shake_hands();
  check(::fcntl(descriptor_, F_SETFL, O_NONBLOCK) == 0, "fcntl");

  wslay_event_callbacks callbacks{};
  callbacks.recv_callback = Callbacks::read;
  callbacks.send_callback = Callbacks::write;
  callbacks.genmask_callback = Callbacks::make_mask;
  callbacks.on_frame_recv_start_callback = Callbacks::on_frame_start;
  callbacks.on_frame_recv_chunk_callback = Callbacks::on_frame_chunk;
  callbacks.on_msg_recv_callback = Callbacks::on_message;
  wslay_event_context* context = nullptr;
  if (wslay_event_context_client_init(&context, &callbacks, this) != 0) throw std::bad_alloc{};
  context_.reset(context);
}

WebSocketClient::~WebSocketClient() { ::close(descriptor_); }

/// The server says nothing of its own before the first message, so what comes is the answer alone.
void WebSocketClient::shake_hands() {
  check(::send(descriptor_, request.data(), request.size(), MSG_NOSIGNAL) > 0, "send");
  std::string answer;
  while (answer.find("\r\n\r\n") == std::string::npos) {
    std::array<char, 1024> buffer;
    const ssize_t got = ::recv(descriptor_, buffer.data(), buffer.size(), 0);
    check(got >= 0, "recv");
    if (got == 0) throw std::runtime_error{"the server hung up during the handshake"};
    answer.append(buffer.data(), static_cast<std::size_t>(got));
  }
  if (answer.rfind("HTTP/1.1 101 ", 0) != 0) {
    throw std::runtime_error{"no WebSocket: " + answer.substr(0, answer.find('\r'))};
  }
}

void WebSocketClient::send_text(std::string_view text) {
  const wslay_event_msg message{WSLAY_TEXT_FRAME,
                                reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
  // Refused once either side has sent a close frame.
  if (!is_over_ && wslay_event_queue_msg(context_.get(), &message) == 0) flush();
}

void WebSocketClient::flush() {
  if (!is_over_ && wslay_event_send(context_.get()) != 0) is_over_ = true;
}

void WebSocketClient::receive(const std::function<void(std::string_view)>& on_text) {
  if (is_over_) return;
  on_text_ = &on_text;
  // An error is the end of the connection here: the server is ours and speaks the protocol.
  if (wslay_event_recv(context_.get()) != 0) is_over_ = true;
  on_text_ = nullptr;
  flush();
  if (close_code_ != 0) is_over_ = true;
}

}  // namespace turnpike::bench
