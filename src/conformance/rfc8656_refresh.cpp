// RFC 8656 §5 and §8: Refresh, and whose allocation it is.
#include "conformance/catalogue.h"

namespace turnpike::conformance {
namespace {

using stun::AttributeType;
using stun::MessageBuilder;
using stun::Method;

constexpr std::uint16_t mismatch = 437;

Reply refresh(Flow& flow, seconds lifetime) {
  return flow.request(Method::refresh, [lifetime](MessageBuilder& m) { m.put_lifetime(lifetime); });
}

void expect_lifetime(const Reply& reply, seconds expected) {
  expect_success(reply);
  const auto lifetime = reply.lifetime();
  // LIFETIME is the time that is left: some of it may be over when the answer is made.
  constexpr seconds passed_most{5};
  expect(lifetime && *lifetime <= expected && *lifetime >= expected - passed_most,
         "LIFETIME " + std::to_string(expected.count()),
         lifetime ? "LIFETIME " + std::to_string(lifetime->count()) : "no LIFETIME");
}

void zero_deletes(Session& session) {
  Flow& flow = session.open();
  session.allocate(flow);
  expect_lifetime(refresh(flow, seconds{0}), seconds{0});
}

void deleted_is_437(Session& session) {
  Flow& flow = session.open();
  session.allocate(flow);
  expect_success(refresh(flow, seconds{0}));
  expect_error(refresh(flow, seconds{0}), mismatch);
}

void deleted_cannot_be_refreshed(Session& session) {
  Flow& flow = session.open();
  session.allocate(flow);
  expect_success(refresh(flow, seconds{0}));
  expect_error(flow.request(Method::refresh), mismatch);
}

void deleted_can_be_replaced(Session& session) {
  Flow& flow = session.open();
  session.allocate(flow);
  expect_success(refresh(flow, seconds{0}));
  const Reply reply =
      flow.request(Method::allocate, [&](MessageBuilder& m) { session.put_udp_relay(m); });
  expect_success(reply);
}

void delete_stops_data(Session& session) {
  const Session::Relay relay = session.open_relay();
  session.expect_received(relay, session.random_bytes(16));
  expect_success(refresh(relay.flow, seconds{0}));
  relay.peer.send(session.random_bytes(16), relay.relayed);
  session.expect_nothing_at_client(relay.flow, "the allocation was deleted");
}

void absent_is_default(Session& session) {
  Flow& flow = session.open();
  session.allocate(flow);
  expect_lifetime(flow.request(Method::refresh), seconds{600});
}

void short_is_default(Session& session) {
  Flow& flow = session.open();
  session.allocate(flow);
  expect_lifetime(refresh(flow, seconds{1}), seconds{600});
}

void long_is_capped(Session& session) {
  constexpr seconds most{3600};
  Flow& flow = session.open();
  session.allocate(flow);
  const Reply reply = refresh(flow, seconds{100'000});
  expect_success(reply);
  const seconds granted = reply.lifetime().value_or(seconds{0});
  expect(granted > seconds{0} && granted <= most, "3600 s at most",
         std::to_string(granted.count()) + " s");
}

void without_allocation_is_437(Session& session) {
  Flow& flow = session.open();
  expect_error(flow.request(Method::refresh), mismatch);
  expect_error(session.create_permission(flow, {{session.peer_address(), 0}}), mismatch);
  expect_error(session.channel_bind(flow, 0x4000, {session.peer_address(), 40000}), mismatch);
}

void other_family_is_443(Session& session) {
  Flow& flow = session.open();
  const bool is_ipv4 = session.family() == Family::ipv4;
  session.allocate(flow);
  const Reply reply = flow.request(Method::refresh, [is_ipv4](MessageBuilder& message) {
    message.put_family(AttributeType::requested_address_family,
                       is_ipv4 ? Family::ipv6 : Family::ipv4);
  });
  expect_error(reply, 443);
}

void one_family_of_two(Session& session) {
  Flow& flow = session.open();
  constexpr std::uint8_t udp = 17;
  const Reply dual = flow.request(Method::allocate, [](MessageBuilder& message) {
    message.put_requested_transport(udp).put_family(AttributeType::additional_address_family,
                                                    Family::ipv6);
  });
  if (!dual.is_success() || dual.xor_addresses(AttributeType::xor_relayed_address).size() != 2) {
    not_supported("the server makes no dual allocations");
  }
  const auto delete_ipv6 = [](MessageBuilder& message) {
    message.put_lifetime(seconds{0})
        .put_family(AttributeType::requested_address_family, Family::ipv6);
  };
  expect_success(flow.request(Method::refresh, delete_ipv6));
  const Reply rest = flow.request(Method::refresh);
  expect(rest.is_success(), "the IPv4 half lives on", rest.describe());
}

void other_user_is_441(Session& session) {
  Flow& flow = session.open();
  session.allocate(flow);
  if (!session.settings().second_user) not_tried("needs --second-user and --second-password");
  const User& second = *session.settings().second_user;
  client::LongTermClient other{second.name, second.password};
  // The nonce is the flow's, not the user's.
  const Reply challenge = flow.request_unsigned(Method::refresh);
  if (other.on_error(challenge.view(), false) != client::LongTermClient::Step::send_again) {
    fail("a challenge", challenge.describe());
  }
  const auto signature = other.signature();
  expect_error(flow.request_as(Method::refresh, {}, signature), 441);
  const auto peer = [&](MessageBuilder& message) {
    message.put_xor_address(AttributeType::xor_peer_address, {session.peer_address(), 40000});
  };
  expect_error(flow.request_as(Method::create_permission, peer, signature), 441);
  const auto channel = [&](MessageBuilder& message) {
    message.put_channel_number({0x4000});
    peer(message);
  };
  expect_error(flow.request_as(Method::channel_bind, channel, signature), 441);
}

}  // namespace

std::vector<Check> rfc8656_refresh_checks() {
  using enum Applies;
  using enum Strength;
  return {
      {"refresh-zero-deletes", "43", "RFC 8656 §8.2",
       "LIFETIME 0: the request succeeds, with LIFETIME 0.", must, everywhere, zero_deletes},
      {"second-delete-is-437", "43", "RFC 8656 §8.1, §8.2",
       "Deleting is immediate: the second time there is no allocation.", must, everywhere,
       deleted_is_437},
      {"deleted-allocation-cannot-be-refreshed", "43", "RFC 8656 §8.1",
       "LIFETIME 0 deletes immediately: a Refresh after it is 437.", must, everywhere,
       deleted_cannot_be_refreshed},
      {"deleted-allocation-can-be-replaced", "43", "RFC 8656 §8.1",
       "After an immediate delete the 5-tuple is free for another Allocate.", must, everywhere,
       deleted_can_be_replaced},
      {"deleted-allocation-relays-nothing", "43", "RFC 8656 §8.1",
       "After an immediate delete nothing of a peer arrives.", must, everywhere, delete_stops_data},
      {"refresh-lifetime-defaults-to-600", "43", "RFC 8656 §8.2",
       "Without LIFETIME the desired lifetime is the default.", must, everywhere,
       absent_is_default},
      {"refresh-lifetime-is-at-least-600", "43", "RFC 8656 §8.2",
       "A wish below the default gets the default.", must, everywhere, short_is_default},
      {"refresh-lifetime-is-capped", "43", "RFC 8656 §7.2, §8.2",
       "A maximum of no more than 3600 s is recommended.", should, everywhere, long_is_capped},
      {"request-without-allocation-is-437", "28", "RFC 8656 §5",
       "The 5-tuple does not identify an allocation: 437.", must, everywhere,
       without_allocation_is_437},
      {"refresh-of-another-family-is-443", "43", "RFC 8656 §8.2",
       "REQUESTED-ADDRESS-FAMILY is not the allocation's: 443.", must, everywhere,
       other_family_is_443},
      {"refresh-deletes-one-family-of-two", "43", "RFC 8656 §8.1",
       "With REQUESTED-ADDRESS-FAMILY only that half of a dual allocation is deleted.", must,
       everywhere, one_family_of_two},
      {"another-user-is-441", "29", "RFC 8656 §5",
       "Requests under another username than the allocation's: 441.", must, everywhere,
       other_user_is_441},
  };
}

}  // namespace turnpike::conformance
