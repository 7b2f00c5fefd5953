// RFC 8656 §3.1, §12.5 and RFC 8489 §6.2.2, §6.2.3: what TCP, TLS and DTLS add.
#include "conformance/catalogue.h"
#include "conformance/frame.h"

namespace turnpike::conformance {
namespace {

using stun::AttributeType;
using stun::MessageBuilder;
using stun::Method;

constexpr std::uint16_t channel = 0x4000;

void split_at_every_byte(Session& session) {
  Flow& flow = session.open();
  const Bytes request = flow.build_request(Method::binding);
  for (const std::uint8_t byte : request) flow.send(Bytes{byte});
  const auto id = ByteView{request}.subspan(8, 12);
  const auto frame = flow.next(clock_now() + 4 * flow.timing().rto);
  if (!frame) fail("an answer to a request that comes byte by byte", "nothing");
  const auto reply = Reply::parse(*frame);
  expect(reply && std::equal(id.begin(), id.end(), reply->bytes().subspan(8).begin()),
         "the answer to a request that comes byte by byte", describe(frame->bytes));
}

void several_in_one_piece(Session& session) {
  Flow& flow = session.open();
  constexpr int count = 5;
  std::vector<stun::TransactionId> waiting;
  Bytes all;
  for (int i = 0; i < count; ++i) {
    const Bytes request = flow.build_request(Method::binding);
    stun::TransactionId id{};
    copy_bytes(ByteView{request}.subspan(8, id.size()), id);
    waiting.push_back(id);
    all.insert(all.end(), request.begin(), request.end());
  }
  flow.send(all);
  // §6.3.1.2: "The server is allowed to send responses in a different order".
  while (!waiting.empty()) {
    const auto frame = flow.next(clock_now() + 4 * flow.timing().rto);
    if (!frame) {
      fail("answers to all " + std::to_string(count) + " requests",
           std::to_string(count - static_cast<int>(waiting.size())) + " answers");
    }
    const auto reply = Reply::parse(*frame);
    if (!reply) fail("a STUN message", describe(frame->bytes));
    std::erase(waiting, reply->view().transaction_id());
  }
}

void messages_after_channel_data(Session& session) {
  Flow& flow = session.open();
  session.allocate(flow);
  Peer& peer = session.add_peer();
  session.bind_channel(flow, channel, peer.endpoint());
  // ChannelData with padding and a request, in one piece.
  const Bytes payload = session.random_bytes(5);
  Bytes all = make_channel_data(channel, payload, 3);
  const Bytes request = flow.build_request(Method::binding);
  all.insert(all.end(), request.begin(), request.end());
  flow.send(all);
  const auto received = peer.receive(clock_now() + 4 * flow.timing().rto);
  if (!received) fail("the data at the peer", "nothing");
  expect(received->bytes == payload, describe(payload), describe(received->bytes));
  const auto frame = flow.next(clock_now() + 4 * flow.timing().rto);
  expect(frame.has_value(), "an answer to the request behind ChannelData", "nothing");
}

void connection_stays_open(Session& session) {
  Flow& flow = session.open();
  static_cast<void>(flow.request_unsigned(Method::binding));
  static_cast<void>(flow.request_unsigned(Method::binding));
  expect(!flow.is_closed(), "the connection stays open after a response", "it was closed");
}

void closing_ends_the_allocation(Session& session) {
  FlowOptions options;
  {
    Flow& flow = session.open();
    session.allocate(flow);
    options.local = flow.local();
    flow.connection().reset_on_close();
    session.close(flow);
  }
  const auto again = session.try_open(options);
  if (!again) not_tried("the same source port cannot be used again at once");
  expect_error((*again)->request(Method::refresh), 437);
}

// --- TLS -----------------------------------------------------------------------------------------

void version_is_1_2_or_later(Session& session) {
  Flow& flow = session.open();
  const std::string version = flow.connection().version();
  expect(version == "TLSv1.2" || version == "TLSv1.3" || version == "DTLSv1.2",
         "TLS or DTLS 1.2 or later", version);
}

void version_1_2_is_spoken(Session& session) {
  FlowOptions options;
  options.max_version = net::TlsVersion::v1_2;
  const auto opened = session.try_open(options);
  if (!opened) fail("a connection with version 1.2", opened.error().text);
}

void old_versions_are_refused(Session& session) {
  FlowOptions options;
  options.min_version = net::TlsVersion::v1_0;
  options.max_version = net::TlsVersion::v1_1;
  const auto opened = session.try_open(options);
  if (opened) fail("no connection with a version before 1.2", (*opened)->connection().version());
}

}  // namespace

std::vector<Check> rfc8656_stream_checks() {
  using enum Applies;
  using enum Strength;
  return {
      {"request-byte-by-byte", "1, 56", "RFC 8489 §6.2.2",
       "A stream has no borders: a request may come in any pieces.", must, streams,
       split_at_every_byte},
      {"requests-in-one-piece", "1, 6", "RFC 8489 §6.2.2",
       "Several requests may come together; each is answered on the connection.", must, streams,
       several_in_one_piece},
      {"request-behind-padded-channel-data", "53", "RFC 8656 §12.5",
       "Padding is skipped, so that the next message is found.", must, streams,
       messages_after_channel_data},
      {"connection-stays-open", "6", "RFC 8489 §6.2.2",
       "The server should keep the connection open and let the client close it.", should, streams,
       connection_stays_open},
      {"closing-ends-the-allocation", "56", "RFC 8656 §3.1",
       "An allocation is of no use once its connection is gone, and should go with it.", advice,
       tcp, closing_ends_the_allocation},
      {"tls-1.2-or-later", "25, 76", "RFC 8489 §6.2.3", "TLS and DTLS of version 1.2 or later.",
       must, secured, version_is_1_2_or_later},
      {"tls-1.2-is-spoken", "25", "RFC 8489 §6.2.3",
       "Clients that know nothing newer than 1.2 are served.", must, secured,
       version_1_2_is_spoken},
      {"tls-before-1.2-is-refused", "25", "RFC 8489 §6.2.3, BCP 195",
       "Versions 1.0 and 1.1 must not be negotiated.", must, secured, old_versions_are_refused},
  };
}

}  // namespace turnpike::conformance
