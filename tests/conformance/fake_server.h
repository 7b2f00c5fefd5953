// A UDP server on loopback that says what a test tells it to, in a thread of the test.
#pragma once

#include <atomic>
#include <functional>
#include <thread>

#include "catch.h"
#include "conformance/session.h"

namespace turnpike::conformance {

/// A response to `request` with attributes of `fill`, as bytes.
template <class Fill>
Bytes respond(ByteView request, stun::Class message_class, Fill fill) {
  const auto view = stun::MessageView::parse(request);
  Bytes buffer(2048);
  stun::MessageBuilder message{buffer, message_class, view->method(), view->transaction_id()};
  fill(message);
  buffer.resize(message.bytes().size());
  return buffer;
}
inline Bytes succeed(ByteView request) {
  return respond(request, stun::Class::success, [](stun::MessageBuilder&) {});
}
inline Bytes refuse(ByteView request, stun::ErrorCode code) {
  return respond(request, stun::Class::error,
                 [code](stun::MessageBuilder& message) { message.put_error_code(code); });
}
inline stun::Method method_of(ByteView request) {
  return stun::MessageView::parse(request)->method();
}

class FakeServer {
 public:
  /// What goes back for each datagram; empty: nothing.
  using Answer = std::function<Bytes(ByteView datagram)>;

  explicit FakeServer(Answer answer)
      : answer_(std::move(answer)), socket_(open()), thread_([this] { serve(); }) {}
  ~FakeServer() {
    stop_ = true;
    thread_.join();
  }
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  [[nodiscard]] Settings settings() const {
    Settings settings;
    settings.server = socket_.local();
    settings.user = User{"user", "password"};
    settings.timing.rto = milliseconds{40};
    settings.timing.quiet = milliseconds{20};
    return settings;
  }

 private:
  static Socket open() {
    auto socket = Socket::udp({*IpAddress::parse("127.0.0.1"), 0});
    REQUIRE(socket);
    return std::move(*socket);
  }
  void serve() {
    while (!stop_) {
      const auto received = socket_.receive(clock_now() + milliseconds{10});
      if (!received) continue;
      const Bytes bytes = answer_(received->bytes);
      if (!bytes.empty()) socket_.send_to(bytes, received->from);
    }
  }

  Answer answer_;
  Socket socket_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

/// The outcome of `body`, run as a check.
template <class Body>
Outcome ended(Body body) {
  try {
    body();
    return {};
  } catch (const Ended& end) {
    return end.outcome;
  }
}

}  // namespace turnpike::conformance
