// A WebSocket client over plain TCP and wslay: as much of one as a load generator needs.
#pragma once

#include <wslay/wslay.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace turnpike::bench {

/// One connection to a server on 127.0.0.1. After the handshake its socket does not block.
class WebSocketClient {
 public:
  /// Connects and asks for `/v1/ws`, waiting for both. Throws std::system_error, or
  /// std::runtime_error when the server refuses.
  explicit WebSocketClient(std::uint16_t port);
  ~WebSocketClient();
  WebSocketClient(const WebSocketClient&) = delete;
  WebSocketClient& operator=(const WebSocketClient&) = delete;

  [[nodiscard]] int descriptor() const { return descriptor_; }

  /// What the socket does not take now goes with the next call of this or flush().
  void send_text(std::string_view text);
  void flush();
  /// Reads all there is; `on_text` is called for each message.
  void receive(const std::function<void(std::string_view)>& on_text);

  /// Closed, or lost.
  [[nodiscard]] bool is_over() const { return is_over_; }
  /// Of the server's close frame; 0 as long as none has come.
  [[nodiscard]] std::uint16_t close_code() const { return close_code_; }

 private:
  struct FreeContext {
    void operator()(wslay_event_context* context) const { wslay_event_context_free(context); }
  };
  struct Callbacks;  // wslay's way in

  void shake_hands();

  int descriptor_;
  std::unique_ptr<wslay_event_context, FreeContext> context_;
  const std::function<void(std::string_view)>* on_text_ = nullptr;  // during receive()
  std::uint32_t mask_ = 0x9e3779b9;
  std::uint16_t close_code_ = 0;
  std::size_t close_bytes_ = 0;  // of the close frame's payload so far
  bool is_in_close_frame_ = false;
  bool is_over_ = false;
};

}  // namespace turnpike::bench
