// RFC 5780: a server with two addresses and two ports that answers from where it is asked to.
#include <algorithm>

#include "conformance/catalogue.h"

namespace turnpike::conformance {
namespace {

using stun::AttributeType;
using stun::MessageBuilder;
using stun::Method;

constexpr std::uint16_t bad_request = 400;
constexpr std::uint16_t unknown_attribute = 420;
constexpr std::uint32_t change_ip = 4;
constexpr std::uint32_t change_port = 2;

std::optional<Endpoint> address_in(const Reply& reply, AttributeType type) {
  const auto value = reply.view().find(type);
  return value ? stun::decode_address(*value) : std::nullopt;
}

/// A flow that hears all of the server's addresses and knows its own.
Flow& open_listening(Session& session) {
  const auto own = route_to(session.settings().server.address);
  if (!own) not_tried("there is no route to the server");
  FlowOptions options;
  options.any_source = true;
  options.local = Endpoint{*own, 0};
  return session.open(options);
}

/// Asks the server at one of its four addresses, on a socket that hears them all.
std::optional<Reply> ask_at(Flow& flow, const Endpoint& server) {
  constexpr int attempts = 4;
  const Bytes request = flow.build_request(Method::binding);
  const ByteView id = ByteView{request}.subspan(8, stun::transaction_id_bytes);
  for (int i = 0; i < attempts; ++i) {
    flow.connection().send_to(request, server);
    const Instant until = clock_now() + flow.timing().rto;
    while (auto frame = flow.next(until)) {
      auto reply = Reply::parse(std::move(*frame));
      if (!reply) continue;
      const auto of_reply = reply->view().transaction_id();
      if (std::equal(of_reply.begin(), of_reply.end(), id.begin())) return reply;
    }
  }
  return std::nullopt;
}

/// A server that does discovery: its four addresses, and a flow that may hear from them all.
struct Discovery {
  Flow& flow;
  Endpoint asked;   ///< Da:Dp
  Endpoint other;   ///< Ca:Cp
  Endpoint mapped;  ///< the flow, as the server sees it
};

Discovery open_discovery(Session& session) {
  Flow& flow = open_listening(session);
  const Reply reply = flow.request_unsigned(Method::binding);
  if (reply.error() == 401) not_supported("the server wants credentials for Binding (401)");
  expect_success(reply);
  const auto other = address_in(reply, AttributeType::other_address);
  if (!other) not_supported("the server has no alternate address: no OTHER-ADDRESS");
  const auto mapped = reply.xor_address(AttributeType::xor_mapped_address);
  if (!mapped) fail("XOR-MAPPED-ADDRESS", "none that can be read");
  return {flow, session.settings().server, *other, *mapped};
}

/// What the server tells as its other address must be one.
void need_other_address(const Discovery& discovery) {
  if (discovery.other.address == discovery.asked.address ||
      discovery.other.port == discovery.asked.port) {
    not_tried("OTHER-ADDRESS differs too little: " + discovery.other.to_string());
  }
}

/// Asks at all four addresses, so that what stands between lets them all answer. Not tried where
/// the way there maps each of them to another address: then an answer from elsewhere cannot come.
void open_the_way(const Discovery& discovery) {
  need_other_address(discovery);
  const Endpoint& asked = discovery.asked;
  const Endpoint& other = discovery.other;
  for (const Endpoint& server :
       {other, Endpoint{asked.address, other.port}, Endpoint{other.address, asked.port}}) {
    const auto reply = ask_at(discovery.flow, server);
    if (!reply) fail("an answer at " + server.to_string(), "nothing");
    if (reply->xor_address(AttributeType::xor_mapped_address) != discovery.mapped) {
      not_tried("a NAT gives each way another address");
    }
  }
}

Body with_change(std::uint32_t flags) {
  return
      [flags](MessageBuilder& message) { message.put_u32(AttributeType::change_request, flags); };
}

Body with_response_port(std::uint16_t port) {
  return [port](MessageBuilder& message) {
    Bytes value(2);
    store_be16(value, port);
    message.put(AttributeType::response_port, value);
  };
}

// --- Without an alternate address ----------------------------------------------------------------

void change_needs_an_alternate(Session& session) {
  Flow& flow = session.open();
  const Reply plain = flow.request_unsigned(Method::binding);
  if (plain.error() == 401) not_supported("the server wants credentials for Binding (401)");
  if (plain.has(AttributeType::other_address)) not_tried("the server has an alternate address");
  const Reply reply = flow.request_unsigned(Method::binding, with_change(change_ip | change_port));
  expect_error(reply, unknown_attribute);
}

// --- The response, §6.1 --------------------------------------------------------------------------

void both_mapped_addresses(Session& session) {
  const Discovery discovery = open_discovery(session);
  const Reply reply = discovery.flow.request_unsigned(Method::binding);
  const auto mapped = address_in(reply, AttributeType::mapped_address);
  if (!mapped) fail("MAPPED-ADDRESS beside XOR-MAPPED-ADDRESS", "none that can be read");
  const auto xored = reply.xor_address(AttributeType::xor_mapped_address);
  if (mapped->address != xored->address) not_tried("something between rewrites MAPPED-ADDRESS");
  expect(mapped == xored, xored->to_string(), mapped->to_string());
}

void origin_is_the_source(Session& session) {
  const Discovery discovery = open_discovery(session);
  const Reply reply = discovery.flow.request_unsigned(Method::binding);
  const auto origin = address_in(reply, AttributeType::response_origin);
  if (!origin) fail("RESPONSE-ORIGIN", "none that can be read");
  expect(*origin == reply.from(), reply.from().to_string(), origin->to_string());
}

void other_differs_in_both(Session& session) {
  const Discovery discovery = open_discovery(session);
  expect(discovery.other.address != discovery.asked.address, "another IP address in OTHER-ADDRESS",
         discovery.other.to_string());
  expect(discovery.other.port != discovery.asked.port, "another port in OTHER-ADDRESS",
         discovery.other.to_string());
}

void all_four_answer(Session& session) {
  const Discovery discovery = open_discovery(session);
  need_other_address(discovery);
  const Endpoint& asked = discovery.asked;
  const Endpoint& other = discovery.other;
  for (const bool at_other_ip : {false, true}) {
    for (const bool at_other_port : {false, true}) {
      const Endpoint server{at_other_ip ? other.address : asked.address,
                            at_other_port ? other.port : asked.port};
      const Endpoint opposite{at_other_ip ? asked.address : other.address,
                              at_other_port ? asked.port : other.port};
      const auto reply = ask_at(discovery.flow, server);
      if (!reply) fail("an answer at " + server.to_string(), "nothing");
      expect(reply->from() == server, server.to_string(), reply->from().to_string());
      const auto told = address_in(*reply, AttributeType::other_address);
      expect(told == opposite,
             "OTHER-ADDRESS " + opposite.to_string() + " at " + server.to_string(),
             told ? told->to_string() : "none");
    }
  }
}

void answers_from(Session& session, std::uint32_t flags) {
  const Discovery discovery = open_discovery(session);
  open_the_way(discovery);
  const Endpoint& asked = discovery.asked;
  const Endpoint& other = discovery.other;
  const Endpoint expected{(flags & change_ip) != 0 ? other.address : asked.address,
                          (flags & change_port) != 0 ? other.port : asked.port};
  const Reply reply = discovery.flow.request_unsigned(Method::binding, with_change(flags));
  expect_success(reply);
  expect(reply.from() == expected, "the answer from " + expected.to_string(),
         reply.from().to_string());
  const auto origin = address_in(reply, AttributeType::response_origin);
  expect(origin == expected, "RESPONSE-ORIGIN " + expected.to_string(),
         origin ? origin->to_string() : "none");
  const auto told = address_in(reply, AttributeType::other_address);
  expect(told == other, "OTHER-ADDRESS as without CHANGE-REQUEST: " + other.to_string(),
         told ? told->to_string() : "none");
}

void change_nothing(Session& session) { answers_from(session, 0); }
void change_the_port(Session& session) { answers_from(session, change_port); }
void change_the_ip(Session& session) { answers_from(session, change_ip); }
void change_both(Session& session) { answers_from(session, change_ip | change_port); }

// --- RESPONSE-PORT and PADDING -------------------------------------------------------------------

/// Sends `request` and waits for its answer elsewhere.
std::optional<Reply> answer_at(Flow& flow, Flow& elsewhere, ByteView request) {
  constexpr int attempts = 3;
  const ByteView id = request.subspan(8, stun::transaction_id_bytes);
  elsewhere.clear_inbox();
  for (int i = 0; i < attempts; ++i) {
    flow.send(request);
    const Instant until = clock_now() + flow.timing().rto;
    while (auto frame = elsewhere.next(until)) {
      auto reply = Reply::parse(std::move(*frame));
      if (!reply) continue;
      const auto of_reply = reply->view().transaction_id();
      if (std::equal(of_reply.begin(), of_reply.end(), id.begin())) return reply;
    }
  }
  return std::nullopt;
}

/// The flow that a RESPONSE-PORT shall lead to, its port as the server sees it.
struct Target {
  Flow& flow;
  std::uint16_t port;
};

Target open_target(Session& session, const Discovery& discovery) {
  Flow& flow = open_listening(session);
  const Reply reply = flow.request_unsigned(Method::binding);
  const auto mapped = reply.xor_address(AttributeType::xor_mapped_address);
  if (!mapped || mapped->address != discovery.mapped.address) {
    not_tried("a NAT gives each flow another address");
  }
  return {flow, mapped->port};
}

void response_port_redirects(Session& session) {
  const Discovery discovery = open_discovery(session);
  const Target target = open_target(session, discovery);
  const Bytes request =
      discovery.flow.build_request(Method::binding, with_response_port(target.port));
  const auto reply = answer_at(discovery.flow, target.flow, request);
  if (!reply) {
    const auto refusal = discovery.flow.ask(request);
    if (refusal && refusal->error() == unknown_attribute) {
      not_supported("the server has no RESPONSE-PORT (420)");
    }
    fail("the answer at the port of RESPONSE-PORT",
         refusal ? refusal->describe() + " at the source" : "nothing");
  }
  expect_success(*reply);
  const auto mapped = reply->xor_address(AttributeType::xor_mapped_address);
  expect(mapped == discovery.mapped, "the request's source as mapped address",
         mapped ? mapped->to_string() : "none");
}

/// An error at another port would tell somebody of a request that he did not make.
void errors_stay_with_the_sender(Session& session) {
  const Discovery discovery = open_discovery(session);
  const Target target = open_target(session, discovery);
  constexpr auto unassigned = static_cast<AttributeType>(0x7e57);
  const Bytes request = discovery.flow.build_request(Method::binding, [&](MessageBuilder& message) {
    with_response_port(target.port)(message);
    message.put_empty(unassigned);
  });
  const auto reply = discovery.flow.ask(request);
  if (!reply) fail("420 at the source", "silence there");
  expect_error(*reply, unknown_attribute);
}

void padding_is_answered_with_padding(Session& session) {
  const Discovery discovery = open_discovery(session);
  const Bytes padding(512);
  const auto reply = discovery.flow.ask(discovery.flow.build_request(
      Method::binding,
      [&padding](MessageBuilder& message) { message.put(AttributeType::padding, padding); }));
  if (!reply) not_tried("no answer comes: fragments may be lost on the way");
  expect_success(*reply);
  expect(reply->has(AttributeType::padding), "PADDING in the response", "none");
}

void padding_and_port_exclude_each_other(Session& session) {
  const Discovery discovery = open_discovery(session);
  const Target target = open_target(session, discovery);
  const Reply reply =
      discovery.flow.request_unsigned(Method::binding, [&](MessageBuilder& message) {
        with_response_port(target.port)(message);
        message.put(AttributeType::padding, Bytes(64));
      });
  if (reply.error() == unknown_attribute) not_supported("the server has no RESPONSE-PORT (420)");
  expect_error(reply, bad_request);
}

// --- Streams -------------------------------------------------------------------------------------

/// §3: "STUN forbids a server from creating a new TCP or TCP/TLS connection to the client".
void stream_answers_stay(Session& session, const Body& wish) {
  Flow& flow = session.open();
  const Reply reply = flow.request_unsigned(Method::binding, wish);
  if (reply.error() == 401) not_supported("the server wants credentials for Binding (401)");
  if (!reply.is_success()) expect_error(reply, {bad_request, unknown_attribute});
}

void change_over_streams(Session& session) {
  stream_answers_stay(session, with_change(change_ip | change_port));
}

void response_port_over_streams(Session& session) {
  const auto own = route_to(session.settings().server.address);
  if (!own) not_tried("there is no route to the server");
  auto listener = Socket::listen({*own, 0});
  if (!listener) not_tried("this host cannot listen: " + listener.error());
  stream_answers_stay(session, with_response_port(listener->local().port));
  expect(!listener->accept(session.briefly()), "no connection from the server", "one");
}

}  // namespace

std::vector<Check> rfc5780_checks() {
  using enum Applies;
  using enum Strength;
  return {
      {"change-request-needs-an-alternate-address", "68", "RFC 5780 §6.1",
       "Without OTHER-ADDRESS in its responses, a server answers CHANGE-REQUEST with 420.", must,
       everywhere, change_needs_an_alternate},
      {"discovery-tells-both-mapped-addresses", "69", "RFC 5780 §6.1",
       "MAPPED-ADDRESS and XOR-MAPPED-ADDRESS are both there.", must, udp, both_mapped_addresses},
      {"discovery-origin-is-the-source", "69", "RFC 5780 §6.1",
       "RESPONSE-ORIGIN is where the response came from.", must, udp, origin_is_the_source},
      {"discovery-other-address-differs-in-both", "69", "RFC 5780 §6.1",
       "OTHER-ADDRESS is another IP address with another port.", must, udp, other_differs_in_both},
      {"discovery-works-at-all-four-addresses", "68, 70", "RFC 5780 §6",
       "All four answer, and each tells the opposite one as OTHER-ADDRESS.", must, udp,
       all_four_answer},
      {"change-request-of-nothing", "70", "RFC 5780 §6.1",
       "Without flags the answer comes from where it was asked.", must, udp, change_nothing},
      {"change-request-of-the-port", "70", "RFC 5780 §6.1", "The answer comes from the other port.",
       must, udp, change_the_port},
      {"change-request-of-the-ip", "70", "RFC 5780 §6.1",
       "The answer comes from the other IP address.", must, udp, change_the_ip},
      {"change-request-of-both", "70", "RFC 5780 §6.1",
       "The answer comes from the other IP address and port.", must, udp, change_both},
      {"response-port-redirects-the-answer", "71", "RFC 5780 §6.1, §7.5",
       "The answer goes to the named port of the same IP address.", must, udp,
       response_port_redirects},
      {"errors-ignore-response-port", "71", "RFC 5780 §7.5",
       "Errors had better go to who asked: the port may be forged.", advice, udp,
       errors_stay_with_the_sender},
      {"padding-is-answered-with-padding", "72", "RFC 5780 §6.1",
       "PADDING in the request, PADDING in the response.", must, udp,
       padding_is_answered_with_padding},
      {"padding-with-response-port-is-400", "72", "RFC 5780 §6.1",
       "The two are not to be had together.", must, udp, padding_and_port_exclude_each_other},
      {"change-request-over-streams-changes-nothing", "72", "RFC 5780 §3",
       "The answer stays on the connection, or is 400 or 420.", must, streams, change_over_streams},
      {"response-port-over-streams-connects-nowhere", "72", "RFC 5780 §3",
       "The server makes no connection to the client.", must, streams, response_port_over_streams},
  };
}

}  // namespace turnpike::conformance
