// One connection of an HTTP client as a function of bytes and time: requests and their answers,
// until one of them makes it a WebSocket. TCP and TLS are the driver's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "signaling/request_parser.h"
#include "signaling/routes.h"
#include "signaling/websocket.h"

namespace turnpike::signaling {

struct ConnectionLimits {
  HttpLimits http{};
  WebSocketLimits websocket{};
  std::size_t max_pipelined = 16;  ///< requests whose answers have not all been taken yet
  /// Not yet taken by the driver. A WebSocket client that reads more slowly than this is closed,
  /// and so is one that sends another request. Where messages may be larger, two of them.
  std::size_t max_queued_bytes = 1024 * 1024;
  milliseconds head_timeout{10'000};  ///< from its first byte, and for the first one from accept
  milliseconds body_timeout{30'000};  ///< from the end of the head
  milliseconds idle_timeout{60'000};  ///< between requests
  milliseconds send_timeout{30'000};  ///< without a byte of output taken
  milliseconds close_timeout{5'000};  ///< for the client's close frame, and for the last output
};

/// It is a WebSocket now.
struct Opened {
  Request request;  ///< that asked for it; its Origin, if any, is allowed
  std::size_t route;
};
/// The WebSocket is over by the client's doing, or lost; for the code see WebSocketEnd. Not for one
/// that was closed with close().
struct Ended {
  std::uint16_t code;
};
/// A request for a route of kind application or either: answer it with respond(), with
/// begin_stream() or, when it `may_open`, with open().
struct Asked {
  Request request;
  std::size_t route;
  OriginVerdict verdict;
  bool may_open;
};
/// Nobody waits any more for the answer to what was Asked, or for the rest of its stream.
struct Withdrawn {};
using ConnectionEvent =
    std::variant<Opened, WebSocketText, WebSocketBinary, Ended, Asked, Withdrawn>;

/// After every call the driver sends output(), ends the connection if wants_close(), and looks at
/// next_deadline(). Events are to be handled in order.
///
/// When it waits for something it holds no memory beyond this object and its parser's or socket's.
class HttpConnection {
 public:
  /// `site` and `limits` must outlive it.
  HttpConnection(const Site& site, const ConnectionLimits& limits, Instant instant);
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  void receive(ByteView bytes, Now now, std::vector<ConnectionEvent>& events);
  /// The TCP connection is gone, or about to be ended by the driver. Nothing else may follow.
  void lost(std::vector<ConnectionEvent>& events);
  void on_deadline(Now now, std::vector<ConnectionEvent>& events);
  /// O(1).
  [[nodiscard]] std::optional<Instant> next_deadline() const;

  /// The answer to what was Asked; there is no deadline for it. Ignored when nothing is waited for.
  /// Requests that came meanwhile are read now.
  void respond(const Response& response, Now now, std::vector<ConnectionEvent>& events);
  /// The other answer, to a request that `may_open`: it is a WebSocket from now on.
  void open(Now now, std::vector<ConnectionEvent>& events);

  // ---- as a stream ----
  /// Another answer: its body begins with that of `head`, goes on with send_part() and ends with
  /// the connection. Nothing else is answered here: HTTP/1.0 clients can read it too. To HEAD it is
  /// respond().
  void begin_stream(const Response& head, Now now, std::vector<ConnectionEvent>& events);
  /// False when the client has not taken what is queued, and `text` was not sent. Nothing happens
  /// when there is no stream.
  [[nodiscard]] bool send_part(std::string_view text, Instant instant);
  /// What is queued is still sent. No Withdrawn will follow.
  void end_stream(Instant instant);

  // ---- as a WebSocket; they do nothing once it is closing ----
  /// False when the client reads too slowly: it has been closed with 1013 and no Ended will follow.
  [[nodiscard]] bool send_text(std::string_view text, Instant instant);
  [[nodiscard]] bool send_binary(std::string_view bytes, Instant instant);
  /// `code` must be one that may be sent, `reason` is cut to what fits. No Ended will follow.
  void close(std::uint16_t code, std::string_view reason, Instant instant);

  // ---- for the driver ----
  /// What is to be sent; valid until the next call of anything.
  [[nodiscard]] ByteView output() const { return bytes_of(output_).subspan(taken_); }
  /// The first `bytes` of output() are on their way.
  void take_output(std::size_t bytes, Instant instant);
  /// Nothing more will come of it: end the connection (call lost() first).
  [[nodiscard]] bool wants_close() const;
  [[nodiscard]] bool is_websocket() const { return socket_ != nullptr; }

 private:
  enum class State : std::uint8_t {
    reading,    // requests
    asked,      // waits for respond()
    streaming,  // waits for send_part() and end_stream()
    open,       // a WebSocket
    closing,    // a WebSocket that waits for the client's close frame
    finishing,  // only what is queued is still sent
  };

  /// How to make a WebSocket of a request that was asked.
  struct Opening {
    Upgrade upgrade;
    Request request;
  };

  void read_requests(Now now, std::vector<ConnectionEvent>& events);
  void answer(Request request, Now now, std::vector<ConnectionEvent>& events);
  void write(const Response& response, Now now);
  void upgrade(const Upgrade& upgrade, Request request, Now now,
               std::vector<ConnectionEvent>& events);
  void read_frames(ByteView bytes, Instant instant, std::vector<ConnectionEvent>& events);
  [[nodiscard]] bool has_room(std::size_t bytes, Instant instant);
  void finish(Instant instant);
  void refuse(HttpError error, Now now);
  /// Ends it without another byte.
  void abort(std::vector<ConnectionEvent>& events);
  void schedule_reading(Instant instant);
  void note_output(Instant instant);

  const Site& site_;
  const ConnectionLimits& limits_;
  RequestParser parser_;
  std::unique_ptr<WebSocket> socket_;
  std::unique_ptr<Opening> opening_;  // what open() would do about what was asked
  std::size_t max_queued_bytes_ = 0;  // of this WebSocket
  std::string output_;
  std::size_t taken_ = 0;
  std::size_t pipelined_ = 0;
  std::optional<Instant> deadline_;              // of the state
  std::optional<Instant> send_deadline_;         // while there is output
  std::optional<RequestParser::Waiting> phase_;  // what deadline_ is for, while reading
  State state_ = State::reading;
  bool keeps_alive_ = true;  // after the answer to the request at hand
  bool is_head_ = false;     // the request at hand is HEAD
};

}  // namespace turnpike::signaling
