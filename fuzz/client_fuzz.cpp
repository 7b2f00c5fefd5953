// A hostile server against the client's side: Binding answers, challenges and the sessions of the
// load generator. The input is a list of responses, each a byte of flags and attributes; the header
// and, if asked for, the integrity are made right, so that a fuzzer gets past the first look. The
// client ends every request after a few messages, and everything it sends is STUN.

#include <string>

#include "auth/opaque_string.h"
#include "base/seeded_random.h"
#include "bench/framing.h"
#include "bench/turn_session.h"
#include "client/binding.h"
#include "client/long_term.h"
#include "conformance/frame.h"
#include "input.h"
#include "stun/builder.h"
#include "turn/framing.h"

namespace {

using namespace turnpike;
using namespace turnpike::client;
using stun::AttributeType;
using Bytes = std::vector<std::uint8_t>;

constexpr std::array<AttributeType, 16> usual{AttributeType::error_code,
                                              AttributeType::realm,
                                              AttributeType::nonce,
                                              AttributeType::password_algorithms,
                                              AttributeType::xor_mapped_address,
                                              AttributeType::mapped_address,
                                              AttributeType::xor_relayed_address,
                                              AttributeType::lifetime,
                                              AttributeType::alternate_server,
                                              AttributeType::unknown_attributes,
                                              AttributeType::software,
                                              AttributeType::username,
                                              AttributeType::password_algorithm,
                                              AttributeType::reservation_token,
                                              AttributeType::error_code,
                                              AttributeType::xor_peer_address};

/// One attribute: which, how long (in units of the flag), what. Values repeat the bytes there are.
void put_attribute(stun::MessageBuilder& message, fuzz::Input& input) {
  const std::uint8_t which = input.byte();
  const AttributeType type =
      which < 0xf0 ? usual.at(which % usual.size()) : static_cast<AttributeType>(input.u16());
  const std::size_t size = input.byte();
  Bytes value = input.bytes(size);
  const std::size_t times = (which & 0x40) != 0 ? 1U + input.byte() % 40U : 1U;
  Bytes all;
  for (std::size_t i = 0; i < times; ++i) all.insert(all.end(), value.begin(), value.end());
  if (message.bytes().size() + all.size() + 100 > 65'000) return;
  message.put(type, all);
}

/// The next response of the input to the request `id`.
Bytes response_of(fuzz::Input& input, stun::Method method, const stun::TransactionId& id,
                  const auth::LongTermKey* key) {
  Bytes buffer(66'000);
  const std::uint8_t flags = input.byte();
  const auto message_class = flags & 1 ? stun::Class::error : stun::Class::success;
  stun::MessageBuilder message{buffer, message_class, method, id};
  for (std::size_t left = (flags >> 1) & 7; left > 0; --left) put_attribute(message, input);
  if (key != nullptr && (flags & 0x10) != 0) message.put_message_integrity(HmacSha1Key{*key});
  if ((flags & 0x20) != 0) message.put_fingerprint();
  buffer.resize(message.bytes().size());
  if ((flags & 0x40) != 0) buffer[input.u16() % buffer.size()] ^= input.byte();
  return buffer;
}

void check_binding(fuzz::Input input) {
  stun::TransactionId id{};
  id.fill(7);
  const BindingRequest request = binding_request(id);
  PROMISE(stun::MessageView::parse(request)->transaction_id() == id);
  while (!input.empty()) {
    const Bytes datagram = response_of(input, stun::Method::binding, id, nullptr);
    const auto answer = parse_binding_answer(datagram, id);
    if (!answer) continue;
    const auto message = stun::MessageView::parse(datagram);
    PROMISE(message && message->transaction_id() == id);
    const bool is_refusal = std::holds_alternative<BindingRefused>(*answer);
    PROMISE(is_refusal == (message->message_class() == stun::Class::error));
    if (is_refusal) {
      const auto code = std::get<BindingRefused>(*answer).code;
      PROMISE(code >= 300 && code <= 699);
    }
    stun::TransactionId other = id;
    other[11] ^= 1;
    PROMISE(!parse_binding_answer(datagram, other));
  }
}

/// Whatever a server teaches, what is sent then fits into one message and is signed.
void check_signature(const LongTermClient& user) {
  for (const Signature& signature : {user.signature(), user.classic_signature()}) {
    std::array<std::uint8_t, stun::max_own_message_bytes> buffer{};
    stun::MessageBuilder builder{buffer, stun::Class::request, stun::Method::refresh, {}};
    put_signature(builder, signature);
    const auto message = stun::MessageView::parse(builder.bytes());
    PROMISE(message);
    PROMISE(verify(*message, signature) == Verified::good);
  }
}

void check_challenges(fuzz::Input input) {
  LongTermClient user{"alice", "wonderland"};
  bool was_signed = false;
  while (!input.empty()) {
    const Bytes datagram = response_of(input, stun::Method::allocate, {}, nullptr);
    const auto message = stun::MessageView::parse(datagram);
    if (!message) continue;
    const bool had_challenge = user.has_challenge();
    const auto step = user.on_error(*message, was_signed);
    PROMISE(user.has_challenge() == (had_challenge || step == LongTermClient::Step::send_again));
    was_signed = user.has_challenge();
    if (step == LongTermClient::Step::send_again) check_signature(user);
  }
}

/// The load generator's session: one allocation against a server that says anything.
void check_session(fuzz::Input input) {
  test::SeededRandom random{1};
  bench::TurnSession session{1, LongTermClient{"alice", "wonderland"}, random};
  Now now{Instant{seconds{1000}}, WallTime{seconds{1'800'000'000}}};
  session.begin_allocate(true, Family::ipv4, now.instant);
  const auth::LongTermKey key =
      auth::long_term_key(stun::PasswordAlgorithm::md5, "alice", "example.org", "wonderland");
  for (int messages = 0; !input.empty() && session.is_busy(); ++messages) {
    const auto request = stun::MessageView::parse(session.request());
    PROMISE(request && request->message_class() == stun::Class::request);
    const Bytes datagram = response_of(input, request->method(), request->transaction_id(), &key);
    const auto message = stun::MessageView::parse(datagram);
    if (!message) continue;
    const auto step = session.on_message(*message, now.instant);
    if (step == bench::TurnSession::Step::failed) PROMISE(!session.failure().text.empty());
    PROMISE(messages < 300);
  }
  while (const auto deadline = session.next_deadline()) {
    now.instant = *deadline;
    if (session.on_deadline(now.instant) == bench::TurnSession::Step::failed) break;
  }
  PROMISE(!session.is_busy());
}

/// Three readers of one stream, none of which knows the others: they see the same first message.
void check_framing(ByteView stream) {
  turn::StreamFrame frame;
  const auto state = turn::find_frame(stream, frame);
  const auto suite = conformance::first_frame(stream);
  const auto load = bench::first_message_bytes(stream);
  if (state == turn::StreamState::complete) {
    PROMISE(suite && suite->size + suite->padding == frame.total_bytes);
    // The load generator knows STUN and the channels that may be bound, and expects nothing else.
    if (stream[0] <= 0x4f) PROMISE(load == frame.total_bytes);
  }
  for (const auto framing : {bench::Framing::channel, bench::Framing::indication}) {
    const auto payload = bench::payload_of(framing, stream);
    if (payload) PROMISE(payload->size() <= stream.size());
  }
  const auto data = conformance::read_channel_data(stream);
  const auto ours = turn::parse_channel_data(stream);
  if (ours) {
    PROMISE(data && data->number == ours->channel.value);
    PROMISE(data->payload.size() == ours->payload.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size > 4000) return 0;
  const ByteView input{bytes, size};
  check_binding(fuzz::Input{input});
  check_challenges(fuzz::Input{input});
  check_session(fuzz::Input{input});
  check_framing(input);
  return 0;
}
