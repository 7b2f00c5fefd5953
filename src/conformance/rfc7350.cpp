// RFC 7350 and RFC 6347: STUN and TURN over DTLS.
#include <algorithm>
#include <array>

#include "conformance/catalogue.h"
#include "conformance/dtls_hello.h"

namespace turnpike::conformance {
namespace {

using stun::AttributeType;
using stun::Class;
using stun::Method;

constexpr std::size_t random_size = 32;

/// A UDP socket towards the DTLS port.
Flow& open_plain(Session& session) {
  FlowOptions options;
  options.transport = Transport::udp;
  return session.open(options);
}

/// The first datagram that answers a ClientHello, which is repeated as clients do.
Bytes answer_to(Flow& flow, ByteView hello) {
  constexpr int attempts = 4;
  for (int i = 0; i < attempts; ++i) {
    flow.send(hello);
    const auto received = flow.connection().receive(clock_now() + 2 * flow.timing().rto);
    if (received) return received->bytes;
  }
  fail("an answer to a DTLS 1.2 ClientHello", "nothing");
}

void expect_verify_request(ByteView answer) {
  const auto type = handshake_type(answer);
  expect(type == handshake_hello_verify_request, "HelloVerifyRequest",
         type == handshake_server_hello ? "ServerHello" : describe(answer));
}

// --- The cookie, RFC 6347 §4.2.1 -----------------------------------------------------------------

void first_hello_gets_a_cookie(Session& session) {
  Flow& flow = open_plain(session);
  const Bytes hello = make_client_hello(session.random_bytes(random_size), {}, 0);
  const Bytes answer = answer_to(flow, hello);
  expect_verify_request(answer);
  const auto cookie = cookie_in(answer);
  expect(cookie && !cookie->empty(), "a cookie in the HelloVerifyRequest", "none");
}

void verify_request_is_small(Session& session) {
  Flow& flow = open_plain(session);
  const Bytes hello = make_client_hello(session.random_bytes(random_size), {}, 0);
  Bytes answer = answer_to(flow, hello);
  expect_verify_request(answer);
  std::size_t all = answer.size();
  while (const auto more = flow.connection().receive(session.briefly())) all += more->bytes.size();
  expect(all <= hello.size(), "not more than the " + std::to_string(hello.size()) + " bytes asked",
         std::to_string(all) + " bytes");
}

void wrong_cookie_gets_another(Session& session) {
  Flow& flow = open_plain(session);
  const Bytes random = session.random_bytes(random_size);
  const Bytes answer = answer_to(flow, make_client_hello(random, {}, 0));
  auto cookie = cookie_in(answer);
  if (!cookie || cookie->empty()) not_tried("the server gives no cookie");
  cookie->front() ^= 0x01;
  expect_verify_request(answer_to(flow, make_client_hello(random, *cookie, 1)));
}

void right_cookie_opens(Session& session) {
  Flow& flow = open_plain(session);
  const Bytes random = session.random_bytes(random_size);
  const auto cookie = cookie_in(answer_to(flow, make_client_hello(random, {}, 0)));
  if (!cookie || cookie->empty()) not_tried("the server gives no cookie");
  const Bytes answer = answer_to(flow, make_client_hello(random, *cookie, 1));
  expect(handshake_type(answer) == handshake_server_hello, "ServerHello", describe(answer));
}

// --- STUN in records -----------------------------------------------------------------------------

Bytes without_cookie(Bytes message) {
  message[4] ^= 0xff;
  return message;
}

void request_without_cookie_is_500(Session& session, Method method) {
  Flow& flow = session.open();
  const Bytes request = without_cookie(flow.build_request(method));
  const Silence silence = flow.listen_after(request);
  if (!silence.answer) fail("500 (Server Error)", "silence");
  // It may have no cookie either (RFC 3489), and then is no message of RFC 8489: by hand.
  const Bytes& answer = silence.answer->bytes;
  const ByteView id = ByteView{request}.subspan(8, stun::transaction_id_bytes);
  constexpr unsigned class_bits = 0x0110;
  if (answer.size() < stun::header_bytes + 8 ||
      !std::equal(id.begin(), id.end(), answer.begin() + 8) ||
      (load_be16(answer) & class_bits) != class_bits) {
    fail("500 (Server Error)", describe(answer));
  }
  ByteView rest = ByteView{answer}.subspan(stun::header_bytes);
  while (rest.size() >= 8 &&
         load_be16(rest) != static_cast<std::uint16_t>(AttributeType::error_code)) {
    rest = rest.subspan(std::min(rest.size(), 4 + padded_to_4(load_be16(rest.subspan(2)))));
  }
  expect(rest.size() >= 8 && rest[6] == 5 && rest[7] == 0, "500 (Server Error)", describe(answer));
}

void binding_without_cookie_is_500(Session& session) {
  request_without_cookie_is_500(session, Method::binding);
}
void allocate_without_cookie_is_500(Session& session) {
  request_without_cookie_is_500(session, Method::allocate);
}

void indication_without_cookie_is_ignored(Session& session) {
  Flow& flow = session.open();
  flow.expect_silence(without_cookie(flow.build(Class::indication, Method::binding)),
                      "an indication without magic cookie");
}

void records_in_one_datagram(Session& session) {
  const Settings& settings = session.settings();
  Flow& builder = session.open();
  net::TlsConnectionOptions options;
  options.server_name = settings.server_name;
  const Instant until = clock_now() + settings.timing.connect_timeout;
  auto connection = net::TlsConnection::connect(Transport::dtls, settings.server, options, until);
  if (!connection) fail("a connection", connection.error().text);
  constexpr std::size_t count = 3;
  std::array<Bytes, count> requests;
  for (Bytes& request : requests) request = builder.build_request(Method::binding);
  if (!connection->send_together(requests)) not_tried("the datagram cannot be sent");
  std::vector<Bytes> waiting(requests.begin(), requests.end());
  while (!waiting.empty()) {
    const auto answer = connection->receive(clock_now() + 4 * settings.timing.rto);
    if (!answer) {
      fail("answers to " + std::to_string(count) + " requests in one datagram",
           std::to_string(count - waiting.size()) + " answers");
    }
    std::erase_if(waiting, [&](const Bytes& request) {
      return answer->size() >= stun::header_bytes &&
             std::equal(request.begin() + 8, request.begin() + 20, answer->begin() + 8);
    });
  }
}

void relays_over_dtls(Session& session) {
  const Session::Relay relay = session.open_relay();
  session.expect_sent(relay, session.random_bytes(1000));
  session.expect_received(relay, session.random_bytes(1000));
}

}  // namespace

std::vector<Check> rfc7350_checks() {
  using enum Applies;
  using enum Strength;
  return {
      {"dtls-first-hello-gets-a-cookie", "76", "RFC 7350 §4.6, RFC 6347 §4.2.1",
       "A ClientHello without cookie should be answered with HelloVerifyRequest, and nothing else.",
       should, dtls, first_hello_gets_a_cookie},
      {"dtls-hello-verify-request-is-small", "76", "RFC 6347 §4.2.1",
       "What an unverified address gets is not more than it sent.", advice, dtls,
       verify_request_is_small},
      {"dtls-wrong-cookie-gets-another", "76", "RFC 6347 §4.2.1",
       "A cookie that is not right should count as none.", should, dtls, wrong_cookie_gets_another},
      {"dtls-right-cookie-opens", "76", "RFC 6347 §4.2.1",
       "The same ClientHello with its cookie begins the handshake.", must, dtls,
       right_cookie_opens},
      {"dtls-binding-without-magic-cookie-is-500", "24, 76", "RFC 8489 §11",
       "Over DTLS there are no clients of RFC 3489.", must, dtls, binding_without_cookie_is_500},
      {"dtls-allocate-without-magic-cookie-is-500", "24, 76", "RFC 8489 §11, RFC 7350 §3",
       "Any request without the magic cookie is an error over DTLS.", must, dtls,
       allocate_without_cookie_is_500},
      {"dtls-indication-without-magic-cookie-is-ignored", "24, 76", "RFC 8489 §11",
       "Indications without the magic cookie are ignored.", must, dtls,
       indication_without_cookie_is_ignored},
      {"dtls-records-in-one-datagram", "76", "RFC 6347 §4.1.1",
       "Several records may come in one datagram; each is read.", must, dtls,
       records_in_one_datagram},
      {"dtls-carries-turn", "76", "RFC 7350 §4.6", "TURN works over DTLS.", must, dtls,
       relays_over_dtls},
  };
}

}  // namespace turnpike::conformance
