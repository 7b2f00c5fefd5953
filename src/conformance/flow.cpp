#include "conformance/flow.h"

#include <algorithm>
#include <utility>

#include "conformance/frame.h"

namespace turnpike::conformance {
namespace {

using stun::AttributeType;
using stun::Class;
using stun::Method;

constexpr std::size_t message_bytes_max = 70'000;
constexpr int attempts_max = 4;

std::optional<stun::TransactionId> transaction_of(ByteView message) {
  if (message.size() < stun::header_bytes || message[0] >= 0x40) return std::nullopt;
  stun::TransactionId id{};
  copy_bytes(message.subspan(8, id.size()), id);
  return id;
}

/// Request and response have the same transaction id; the class tells them apart.
bool is_response_to(const Received& frame, const stun::TransactionId& id) {
  constexpr std::uint8_t response_bit = 0x01;  // the upper bit of the class, in the first byte
  return transaction_of(frame.bytes) == id && (frame.bytes[0] & response_bit) != 0;
}

}  // namespace

Flow::Flow(std::unique_ptr<Connection> connection, Transport transport,
           std::optional<client::LongTermClient> user, Random& random, const Timing& timing)
    : connection_(std::move(connection)),
      transport_(transport),
      user_(std::move(user)),
      random_(random),
      timing_(timing) {}

// --- Messages ------------------------------------------------------------------------------------

Bytes Flow::build(Class message_class, Method method, const Body& body) {
  Bytes buffer(message_bytes_max);
  stun::TransactionId id{};
  random_.fill(id);
  stun::MessageBuilder message{buffer, message_class, method, id};
  if (body) body(message);
  buffer.resize(message.bytes().size());
  return buffer;
}

Bytes Flow::build_signed(Method method, const Body& body, const client::Signature& signature) {
  return build_request(method, [&](stun::MessageBuilder& message) {
    if (body) body(message);
    client::put_signature(message, signature);
  });
}

client::Signature Flow::signature() { return user().signature(); }

client::LongTermClient& Flow::user() {
  if (!user_) not_tried("needs --user and --password");
  if (!user_->has_challenge()) learn_challenge();
  return *user_;
}

/// An Allocate without credentials and without anything that would make an allocation.
void Flow::learn_challenge() {
  const Reply reply = request_unsigned(Method::allocate, [](stun::MessageBuilder& message) {
    constexpr std::uint8_t udp = 17;
    message.put_requested_transport(udp);
  });
  if (user_->on_error(reply.view(), false) == client::LongTermClient::Step::send_again) return;
  if (reply.is_success()) not_tried("the server makes allocations without credentials");
  fail("401 with REALM and NONCE for a request without credentials", reply.describe());
}

// --- Asking --------------------------------------------------------------------------------------

std::optional<Reply> Flow::ask(ByteView request) {
  const auto id = transaction_of(request);
  if (!id) fail("a request", "bytes that are none (a mistake of the check)");
  std::vector<stun::TransactionId> fences;
  unsigned fences_answered = 0;
  milliseconds wait = timing_.rto;
  for (int attempt = 0; attempt < attempts_max && !is_closed_; ++attempt, wait *= 2) {
    if (attempt == 0 || is_datagram()) send(request);
    if (attempt > 0) {
      const Bytes fence = fence_request();
      fences.push_back(*transaction_of(fence));
      send(fence);
    }
    Instant until = clock_now() + wait;
    while (auto frame = read_frame(until)) {
      if (is_response_to(*frame, *id)) {
        Reply reply = checked(std::move(*frame));
        note_allocation(reply);
        return reply;
      }
      const bool is_fence = std::any_of(fences.begin(), fences.end(), [&](const auto& fence) {
        return is_response_to(*frame, fence);
      });
      if (!is_fence) {
        inbox_.push_back(std::move(*frame));
        continue;
      }
      ++fences_answered;
      until = std::min(until, clock_now() + timing_.quiet);
    }
    if (fences_answered >= 2) return std::nullopt;
  }
  if (is_closed_ || fences_answered > 0) return std::nullopt;
  fail("an answer", "nothing, not even to requests that were answered before");
}

Reply Flow::ask_for_reply(ByteView request) {
  auto reply = ask(request);
  if (reply) return std::move(*reply);
  const auto view = stun::MessageView::parse(request);
  const std::string what =
      view ? std::string{stun::name_of(view->method())} + " request" : "message";
  fail("an answer to the " + what, is_closed_ ? "the connection was closed" : "silence");
}

Reply Flow::request(Method method, const Body& body) {
  constexpr int challenges_max = 3;
  for (int i = 0; i < challenges_max; ++i) {
    Reply reply = request_as(method, body, signature());
    const auto step = user_->on_error(reply.view(), true);
    if (step != client::LongTermClient::Step::send_again) return reply;
  }
  fail("a nonce that lasts for one request", "438 again and again");
}

Reply Flow::request_as(Method method, const Body& body, const client::Signature& signature) {
  Reply reply = ask_for_reply(build_signed(method, body, signature));
  reply.verified = client::verify(reply.view(), signature);
  if (*reply.verified == client::Verified::wrong) {
    fail("an integrity attribute that matches the key", reply.describe() + " with a wrong one");
  }
  if (reply.is_success() && *reply.verified != client::Verified::good) {
    fail(client::expected_integrity(signature) == client::ResponseIntegrity::sha256
             ? "MESSAGE-INTEGRITY-SHA256 in the response"
             : "MESSAGE-INTEGRITY in the response",
         reply.describe() + " without it");
  }
  return reply;
}

Silence Flow::listen_after(ByteView message) {
  clear_inbox();
  send(message);
  Silence silence;
  std::vector<stun::TransactionId> fences;
  std::optional<Instant> settled;
  milliseconds wait = timing_.rto;
  for (int attempt = 0; attempt < attempts_max && !is_closed_ && !settled; ++attempt, wait *= 2) {
    const Bytes fence = fence_request();
    fences.push_back(*transaction_of(fence));
    send(fence);
    Instant until = clock_now() + wait;
    while (auto frame = read_frame(until)) {
      const bool is_fence = std::any_of(fences.begin(), fences.end(), [&](const auto& fence_id) {
        return is_response_to(*frame, fence_id);
      });
      if (!is_fence) {
        silence.answer = std::move(frame);
        return silence;
      }
      if (!settled) settled = clock_now() + timing_.quiet;
      until = *settled;
    }
  }
  silence.closed = is_closed_;
  if (!settled && !is_closed_) fail("an answer to the request behind it", "nothing");
  return silence;
}

void Flow::expect_silence(ByteView message, const std::string& what, bool may_close) {
  const Silence silence = listen_after(message);
  if (silence.answer) {
    const auto reply = Reply::parse(*silence.answer);
    fail("silence after " + what, reply ? reply->describe() : describe(silence.answer->bytes));
  }
  if (silence.closed && !may_close) fail("silence after " + what, "the connection was closed");
}

void Flow::fence() { static_cast<void>(ask_for_reply(fence_request())); }

Bytes Flow::fence_request() {
  return build_request(timing_.fence, [this](stun::MessageBuilder& message) {
    constexpr std::uint8_t udp = 17;
    if (timing_.fence == Method::allocate) message.put_requested_transport(udp);
  });
}

Reply Flow::checked(Received answer) {
  const std::string raw = describe(answer.bytes);
  auto reply = Reply::parse(std::move(answer));
  if (!reply) fail("a valid STUN message", raw);
  return std::move(*reply);
}

// --- Sending and receiving -----------------------------------------------------------------------

void Flow::send(ByteView bytes) {
  if (!connection_->send(bytes) && !is_datagram()) is_closed_ = true;
}

std::optional<Received> Flow::next(Instant until) {
  if (inbox_.empty()) return read_frame(until);
  Received first = std::move(inbox_.front());
  inbox_.pop_front();
  return first;
}

std::optional<Bytes> Flow::next_bytes(Instant until) {
  if (!stream_.empty()) return std::exchange(stream_, {});
  if (is_closed_) return std::nullopt;
  auto received = connection_->receive(until);
  if (received) return std::move(received->bytes);
  if (received.error() == Stop::closed) is_closed_ = true;
  return std::nullopt;
}

std::optional<FromPeer> Flow::next_from_peer(Instant until) {
  while (auto frame = next(until)) {
    FromPeer came;
    came.raw = frame->bytes;
    came.traffic_class = frame->traffic_class;
    if (const auto data = read_channel_data(came.raw)) {
      came.channel = data->number;
      came.payload = Bytes{data->payload.begin(), data->payload.end()};
      return came;
    }
    const auto reply = Reply::parse(std::move(*frame));
    if (!reply || reply->view().method() != Method::data) continue;
    came.peer = reply->xor_address(AttributeType::xor_peer_address);
    if (const auto data = reply->view().find(AttributeType::data)) {
      came.payload = Bytes{data->begin(), data->end()};
    }
    if (const auto icmp = reply->view().find(AttributeType::icmp)) {
      came.icmp = stun::decode_icmp(*icmp);
    }
    return came;
  }
  return std::nullopt;
}

std::optional<Received> Flow::read_frame(Instant until) {
  for (;;) {
    if (!is_datagram()) {
      if (const auto frame = first_frame(stream_)) {
        const auto end =
            stream_.begin() + static_cast<std::ptrdiff_t>(frame->size + frame->padding);
        Received whole{{}, Bytes(stream_.begin(), end)};
        stream_.erase(stream_.begin(), end);
        return whole;
      }
    }
    if (is_closed_) return std::nullopt;
    auto received = connection_->receive(until);
    if (!received) {
      // Of a datagram socket it is an ICMP error, which says nothing of the next datagram.
      if (received.error() == Stop::closed && !is_datagram()) is_closed_ = true;
      if (received.error() == Stop::closed && transport_ == Transport::dtls) is_closed_ = true;
      if (received.error() == Stop::deadline || is_closed_ || clock_now() >= until) {
        return std::nullopt;
      }
      continue;
    }
    if (is_datagram()) return std::move(*received);
    stream_.insert(stream_.end(), received->bytes.begin(), received->bytes.end());
  }
}

bool Flow::wait_closed(Instant until) {
  while (!is_closed_ && clock_now() < until) {
    if (auto frame = read_frame(until)) inbox_.push_back(std::move(*frame));
  }
  return is_closed_;
}

// --- Allocations ---------------------------------------------------------------------------------

void Flow::note_allocation(const Reply& reply) {
  if (!reply.is_success()) return;
  if (reply.view().method() == Method::allocate) has_allocation_ = true;
  // One that moved here (RFC 8016). A lifetime of zero may be that of one family of two.
  const auto lifetime = reply.lifetime();
  const bool lives = lifetime && *lifetime > seconds{0};
  if (reply.view().method() == Method::refresh && lives) has_allocation_ = true;
}

bool Flow::delete_allocation() {
  if (!has_allocation_) return true;
  if (is_closed_ || !user_) return !is_datagram();  // it went with its connection
  const Reply reply = request(Method::refresh, [](auto& m) { m.put_lifetime(seconds{0}); });
  constexpr std::uint16_t mismatch = 437;
  if (reply.is_success() || reply.error() == mismatch) has_allocation_ = false;
  return !has_allocation_;
}

}  // namespace turnpike::conformance
