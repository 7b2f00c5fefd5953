// RFC 8489 §5 to §7, §12, §14: what a STUN message is, and what becomes of one that is none.
#include <algorithm>

#include "conformance/catalogue.h"

namespace turnpike::conformance {
namespace {

using stun::AttributeType;
using stun::Class;
using stun::Method;

/// Comprehension-required, and assigned to nobody.
constexpr auto unknown_required = static_cast<AttributeType>(0x7e57);
constexpr auto unknown_required_too = static_cast<AttributeType>(0x7e58);
/// Comprehension-optional, and assigned to nobody.
constexpr auto unknown_optional = static_cast<AttributeType>(0xfe57);

/// The mapped address is where the request came from. What a NAT makes of it cannot be known here.
void expect_mapped(const Reply& reply, const Flow& flow) {
  const auto mapped = reply.xor_address(AttributeType::xor_mapped_address);
  if (!mapped) fail("XOR-MAPPED-ADDRESS", reply.describe() + " without one that can be read");
  if (mapped->address != flow.local().address) {
    not_tried("a NAT stands between: " + flow.local().to_string() + " is seen as " +
              mapped->to_string());
  }
  expect(*mapped == flow.local(), flow.local().to_string(), mapped->to_string());
}

void binding_tells_the_source(Session& session) {
  Flow& flow = session.open();
  const Reply reply = flow.request_unsigned(Method::binding);
  if (reply.error() == 401) not_supported("the server wants credentials for Binding (401)");
  expect_success(reply);
  expect_mapped(reply, flow);
}

void binding_has_no_mapped_address(Session& session) {
  const Reply reply = session.open().request_unsigned(Method::binding);
  if (!reply.is_success()) not_tried(reply.describe());
  // RFC 5780 §6.1 wants it, and comes with RESPONSE-ORIGIN.
  if (reply.has(AttributeType::response_origin)) not_tried("the server does NAT discovery");
  expect(!reply.has(AttributeType::mapped_address), "no MAPPED-ADDRESS", "MAPPED-ADDRESS");
}

void binding_is_repeatable(Session& session) {
  Flow& flow = session.open();
  const Bytes request = flow.build_request(Method::binding);
  const Reply first = flow.ask_for_reply(request);
  const Reply second = flow.ask_for_reply(request);
  expect(first.is_success() == second.is_success() &&
             first.xor_address(AttributeType::xor_mapped_address) ==
                 second.xor_address(AttributeType::xor_mapped_address),
         "the same answer twice", first.describe() + ", then " + second.describe());
}

void answer_comes_from_where_it_was_asked(Session& session) {
  FlowOptions options;
  options.any_source = true;
  Flow& flow = session.open(options);
  const Reply reply = flow.request_unsigned(Method::binding);
  expect(reply.from() == session.settings().server, session.settings().server.to_string(),
         reply.from().to_string());
}

void cookie_is_needed(Session& session) {
  Flow& flow = session.open();
  Bytes request = flow.build_request(Method::binding);
  request[4] ^= 0xff;
  const Silence silence = flow.listen_after(request);
  // §11: compatibility with RFC 3489 is allowed for Binding.
  if (silence.answer) not_supported("the server answers RFC 3489 clients, as it may");
}

void allocate_needs_the_cookie(Session& session) {
  Flow& flow = session.open();
  Bytes request = flow.build_request(Method::allocate);
  request[4] ^= 0xff;
  const Silence silence = flow.listen_after(request);
  if (!silence.answer) return;
  const Bytes& answer = silence.answer->bytes;
  fail("silence: TURN has no compatibility with RFC 3489", describe(answer));
}

void first_two_bits_are_zero(Session& session) {
  Flow& flow = session.open();
  Bytes request = flow.build_request(Method::binding);
  request[0] |= 0xc0;
  flow.expect_silence(request, "a message that begins with bits 11", true);
}

void length_is_that_of_the_datagram(Session& session) {
  Flow& flow = session.open();
  Bytes longer = flow.build_request(Method::binding);
  store_be16(MutableByteView{longer}.subspan(2), 4);
  flow.expect_silence(longer, "a length beyond the end of the datagram");
}

void length_is_a_multiple_of_four(Session& session) {
  Flow& flow = session.open();
  Bytes request = flow.build_request(Method::binding);
  request.insert(request.end(), {0, 0});
  store_be16(MutableByteView{request}.subspan(2), 2);
  flow.expect_silence(request, "a length that is no multiple of 4", true);
}

void attribute_ends_within_the_message(Session& session) {
  Flow& flow = session.open();
  Bytes request = flow.build_request(
      Method::binding, [](auto& message) { message.put_text(AttributeType::software, "abcd"); });
  store_be16(MutableByteView{request}.subspan(stun::header_bytes + 2), 5);
  const Silence silence = flow.listen_after(request);
  if (!silence.answer) return;
  const auto reply = Reply::parse(*silence.answer);
  if (reply && reply->error() == 400) return;
  fail("silence or 400 for an attribute that ends behind the message",
       reply ? reply->describe() : describe(silence.answer->bytes));
}

void unsupported_method_is_silence(Session& session) {
  Flow& flow = session.open();
  flow.expect_silence(flow.build_request(static_cast<Method>(0x0fe)),
                      "a request of an unassigned method");
}

void send_request_is_silence(Session& session) {
  Flow& flow = session.open();
  flow.expect_silence(flow.build_request(Method::send), "a Send of class request");
}

void allocate_indication_is_silence(Session& session) {
  Flow& flow = session.open();
  flow.expect_silence(flow.build(Class::indication, Method::allocate),
                      "an Allocate of class indication");
}

void binding_indication_is_silence(Session& session) {
  Flow& flow = session.open();
  flow.expect_silence(flow.build(Class::indication, Method::binding), "a Binding indication");
}

void responses_are_silence(Session& session) {
  Flow& flow = session.open();
  flow.expect_silence(flow.build(Class::success, Method::binding), "a Binding success");
  flow.expect_silence(flow.build(Class::error, Method::allocate), "an Allocate error");
}

void unknown_required_is_420(Session& session) {
  Flow& flow = session.open();
  const Reply reply = flow.request_unsigned(Method::binding, [](auto& message) {
    message.put_text(unknown_required, "abc").put_text(unknown_required_too, "");
  });
  if (reply.error() == 401) not_supported("the server wants credentials for Binding (401)");
  expect_error(reply, 420);
  const auto listed = reply.unknown_attributes();
  const auto lists = [&](AttributeType type) {
    return std::find(listed.begin(), listed.end(), static_cast<std::uint16_t>(type)) !=
           listed.end();
  };
  expect(lists(unknown_required) && lists(unknown_required_too),
         "both unknown types in UNKNOWN-ATTRIBUTES", std::to_string(listed.size()) + " types");
}

void unknown_optional_is_ignored(Session& session) {
  Flow& flow = session.open();
  const Reply reply = flow.request_unsigned(
      Method::binding, [](auto& message) { message.put_text(unknown_optional, "abc"); });
  if (reply.error() == 401) not_supported("the server wants credentials for Binding (401)");
  expect_success(reply);
}

void known_but_unexpected_is_ignored(Session& session) {
  Flow& flow = session.open();
  const Reply reply = flow.request_unsigned(
      Method::binding, [](auto& message) { message.put_channel_number({0x4000}); });
  if (reply.error() == 401) not_supported("the server wants credentials for Binding (401)");
  expect_success(reply);
}

void received_padding_is_ignored(Session& session) {
  Flow& flow = session.open();
  Bytes request = flow.build_request(
      Method::binding, [](auto& message) { message.put_text(AttributeType::software, "a"); });
  std::fill(request.end() - 3, request.end(), std::uint8_t{0xff});
  const Reply reply = flow.ask_for_reply(request);
  if (reply.error() == 401) not_supported("the server wants credentials for Binding (401)");
  expect_success(reply);
}

void good_fingerprint_is_taken(Session& session) {
  Flow& flow = session.open();
  const Reply reply =
      flow.request_unsigned(Method::binding, [](auto& message) { message.put_fingerprint(); });
  if (reply.error() == 401) return;
  expect_success(reply);
}

void wrong_fingerprint_is_silence(Session& session) {
  Flow& flow = session.open();
  Bytes request =
      flow.build_request(Method::binding, [](auto& message) { message.put_fingerprint(); });
  request.back() ^= 1;
  flow.expect_silence(request, "a wrong FINGERPRINT");
}

void response_padding_is_zero(Session& session) {
  Flow& flow = session.open();
  const Reply challenge = flow.request_unsigned(Method::allocate);
  expect(challenge.padding_is_zero(), "padding of zeros",
         challenge.describe() + " with other bytes");
}

void garbage_is_silence(Session& session) {
  Flow& flow = session.open();
  for (const std::size_t size : {std::size_t{1}, std::size_t{19}, std::size_t{100}}) {
    Bytes bytes = session.random_bytes(size);
    bytes[0] = 0xff;
    flow.expect_silence(bytes, std::to_string(size) + " bytes of garbage");
  }
}

}  // namespace

std::vector<Check> rfc8489_message_checks() {
  using enum Applies;
  using enum Strength;
  return {
      {"binding-tells-the-source-address", "24", "RFC 8489 §6.3.1.1",
       "A Binding success has XOR-MAPPED-ADDRESS: the source of the request.", must, everywhere,
       binding_tells_the_source},
      {"binding-success-has-no-mapped-address", "24", "RFC 8489 §6.3.1.1",
       "XOR-MAPPED-ADDRESS is enough; more makes an amplifier.", advice, everywhere,
       binding_has_no_mapped_address},
      {"binding-is-answered-alike-twice", "7", "RFC 8489 §6.3.1",
       "A retransmitted request has the same response.", must, everywhere, binding_is_repeatable},
      {"answer-comes-from-the-address-asked", "6", "RFC 8489 §6.3.1.2",
       "The source of the response is the destination of the request.", must, udp,
       answer_comes_from_where_it_was_asked},
      {"binding-without-cookie", "1, 24", "RFC 8489 §6.3, §11",
       "No magic cookie: silence, or the compatibility with RFC 3489.", must, udp,
       cookie_is_needed},
      {"allocate-without-cookie-is-silence", "1, 24", "RFC 8656 §5",
       "TURN does not use the compatibility with RFC 3489.", must, udp, allocate_needs_the_cookie},
      {"first-two-bits-must-be-zero", "1", "RFC 8489 §5, §6.3",
       "A message whose first two bits are not zero is discarded.", must, datagrams,
       first_two_bits_are_zero},
      {"length-beyond-the-datagram-is-silence", "1", "RFC 8489 §6.3",
       "A message whose length is not sensible is discarded.", must, datagrams,
       length_is_that_of_the_datagram},
      {"length-must-be-a-multiple-of-four", "1", "RFC 8489 §5, §6.3",
       "The last two bits of the length are always zero; else the message is discarded.", must,
       datagrams, length_is_a_multiple_of_four},
      {"attribute-beyond-the-message-is-not-taken", "1", "RFC 8489 §6.3",
       "An attribute that ends behind its message makes the message invalid.", advice, everywhere,
       attribute_ends_within_the_message},
      {"unsupported-method-is-silence", "1", "RFC 8489 §6.3",
       "A method that is not supported is discarded, not answered.", must, everywhere,
       unsupported_method_is_silence},
      {"send-request-is-silence", "1", "RFC 8489 §6.3",
       "A class that the method does not have is discarded: Send is an indication.", must,
       everywhere, send_request_is_silence},
      {"allocate-indication-is-silence", "1, 5", "RFC 8489 §6.3",
       "A class that the method does not have is discarded: Allocate is a request.", must,
       everywhere, allocate_indication_is_silence},
      {"binding-indication-is-silence", "5", "RFC 8489 §6.3.2",
       "No response is generated for an indication.", must, everywhere,
       binding_indication_is_silence},
      {"responses-are-not-answered", "5", "RFC 8489 §6.3",
       "A response to no transaction in progress is discarded.", must, everywhere,
       responses_are_silence},
      {"unknown-required-attribute-is-420", "4", "RFC 8489 §6.3.1",
       "Unknown comprehension-required attributes: 420, and UNKNOWN-ATTRIBUTES lists them.", must,
       everywhere, unknown_required_is_420},
      {"unknown-optional-attribute-is-ignored", "4", "RFC 8489 §6.3",
       "Unknown comprehension-optional attributes must be ignored.", must, everywhere,
       unknown_optional_is_ignored},
      {"known-but-unexpected-attribute-is-ignored", "4", "RFC 8489 §6.3",
       "Known-but-unexpected attributes should be ignored.", should, everywhere,
       known_but_unexpected_is_ignored},
      {"received-padding-is-ignored", "3", "RFC 8489 §14",
       "Padding bits must be ignored on receipt.", must, everywhere, received_padding_is_ignored},
      {"sent-padding-is-zero", "3", "RFC 8489 §14", "Padding bits must be zero on sending.", must,
       everywhere, response_padding_is_zero},
      {"good-fingerprint-is-taken", "8", "RFC 8489 §7", "A request with FINGERPRINT is answered.",
       must, everywhere, good_fingerprint_is_taken},
      {"wrong-fingerprint-is-silence", "8", "RFC 8489 §6.3, §7",
       "A wrong FINGERPRINT: the message is discarded.", must, everywhere,
       wrong_fingerprint_is_silence},
      {"garbage-is-silence", "1, 49", "RFC 8656 §12", "First bytes of no protocol are dropped.",
       must, datagrams, garbage_is_silence},
  };
}

}  // namespace turnpike::conformance
