// RFC 8656 §6, §7: allocations.
#include <algorithm>

#include "conformance/catalogue.h"

namespace turnpike::conformance {
namespace {

using stun::AttributeType;
using stun::MessageBuilder;
using stun::Method;

constexpr std::uint8_t udp = 17;
constexpr seconds default_lifetime{600};

Reply try_allocate(Flow& flow, const Body& body) { return flow.request(Method::allocate, body); }

// --- The success ---------------------------------------------------------------------------------

void success_is_complete(Session& session) {
  Flow& flow = session.open();
  const Reply reply = session.allocate(flow);
  static_cast<void>(Session::relayed(reply));
  expect(reply.lifetime().has_value(), "LIFETIME", "none");
  const auto mapped = reply.xor_address(AttributeType::xor_mapped_address);
  if (!mapped) fail("XOR-MAPPED-ADDRESS", "none");
  if (mapped->address != flow.local().address) return;  // a NAT stands between
  expect(*mapped == flow.local(), flow.local().to_string(), mapped->to_string());
}

void relayed_addresses_are_unique(Session& session) {
  std::vector<Endpoint> seen;
  for (int i = 0; i < 3; ++i) {
    const Endpoint relayed = Session::relayed(session.allocate(session.open()));
    expect(std::find(seen.begin(), seen.end(), relayed) == seen.end(), "another relayed address",
           relayed.to_string() + " twice");
    seen.push_back(relayed);
  }
}

void ports_are_not_well_known(Session& session) {
  constexpr std::uint16_t first = 1024;
  const Endpoint relayed = Session::relayed(session.allocate(session.open()));
  expect(relayed.port >= first, "a port from 1024 on", relayed.to_string());
}

void ports_are_random(Session& session) {
  // So many that chance alone puts them next to each other in no range of ports worth having.
  constexpr int samples = 6;
  int last = 0;
  bool in_steps = true;
  std::string seen;
  for (int i = 0; i < samples; ++i) {
    const int port = Session::relayed(session.allocate(session.open())).port;
    if (i > 0) in_steps = in_steps && std::abs(port - last) <= 2;
    seen += (i > 0 ? ", " : "") + std::to_string(port);
    last = port;
  }
  expect(!in_steps, "ports that cannot be guessed", seen);
}

void retransmission_gets_the_same(Session& session) {
  Flow& flow = session.open();
  const Bytes request = flow.build_signed(
      Method::allocate, [&](MessageBuilder& message) { session.put_udp_relay(message); },
      flow.signature());
  const Reply first = flow.ask_for_reply(request);
  if (first.error() == 440) not_supported("the server has no relays of this family (440)");
  expect_success(first);
  const Reply second = flow.ask_for_reply(request);
  expect_success(second);
  expect(Session::relayed(first) == Session::relayed(second),
         "the same relayed address: " + Session::relayed(first).to_string(),
         Session::relayed(second).to_string());
}

void second_allocate_is_437(Session& session) {
  Flow& flow = session.open();
  session.allocate(flow);
  expect_error(try_allocate(flow, [&](MessageBuilder& m) { session.put_udp_relay(m); }), 437);
}

void five_tuples_are_separate(Session& session) {
  Flow& one = session.open();
  Flow& other = session.open();
  session.allocate(one);
  expect_error(other.request(Method::refresh), 437);
}

// --- REQUESTED-TRANSPORT -------------------------------------------------------------------------

void transport_is_needed(Session& session) { expect_error(try_allocate(session.open(), {}), 400); }

void transport_must_be_well_formed(Session& session) {
  const auto body = [](MessageBuilder& message) {
    message.put_text(AttributeType::requested_transport, "\x11");
  };
  expect_error(try_allocate(session.open(), body), 400);
}

void unknown_transport_is_442(Session& session) {
  constexpr std::uint8_t sctp = 132;
  expect_error(try_allocate(session.open(),
                            [](MessageBuilder& message) { message.put_requested_transport(sctp); }),
               442);
}

void reserved_bits_are_ignored(Session& session) {
  Flow& flow = session.open();
  const Reply reply = try_allocate(flow, [&](MessageBuilder& message) {
    constexpr std::uint32_t udp_and_reserved = 0x11ffffff;
    message.put_u32(AttributeType::requested_transport, udp_and_reserved);
    if (session.family() == Family::ipv6) {
      message.put_family(AttributeType::requested_address_family, Family::ipv6);
    }
  });
  if (reply.error() == 440) not_supported("the server has no relays of this family (440)");
  expect_success(reply);
}

// --- LIFETIME ------------------------------------------------------------------------------------

seconds lifetime_for(Session& session, std::optional<seconds> wanted) {
  const Reply reply = session.allocate(session.open(), [wanted](MessageBuilder& message) {
    if (wanted) message.put_lifetime(*wanted);
  });
  const auto granted = reply.lifetime();
  if (!granted) fail("LIFETIME", "none");
  return *granted;
}

/// LIFETIME is the time that is left: some of it may be over when the answer is made.
void expect_lifetime(seconds expected, seconds granted) {
  constexpr seconds passed_most{5};
  expect(granted <= expected && granted >= expected - passed_most,
         std::to_string(expected.count()) + " s", std::to_string(granted.count()) + " s");
}

void lifetime_defaults(Session& session) {
  expect_lifetime(default_lifetime, lifetime_for(session, std::nullopt));
}
void lifetime_is_at_least_the_default(Session& session) {
  expect_lifetime(default_lifetime, lifetime_for(session, seconds{1}));
}
void lifetime_zero_is_the_default(Session& session) {
  expect_lifetime(default_lifetime, lifetime_for(session, seconds{0}));
}
void lifetime_is_granted(Session& session) {
  constexpr seconds wanted{900};
  const seconds granted = lifetime_for(session, wanted);
  // A maximum below the wish is the server's right.
  expect(granted >= default_lifetime && granted <= wanted, "600 to 900 s",
         std::to_string(granted.count()) + " s");
}
void lifetime_is_capped(Session& session) {
  constexpr seconds most{3600};
  const seconds granted = lifetime_for(session, seconds{100'000});
  expect(granted <= most, "3600 s at most", std::to_string(granted.count()) + " s");
}

// --- Families ------------------------------------------------------------------------------------

Body of_family(Family family) {
  return [family](MessageBuilder& message) {
    message.put_requested_transport(udp);
    message.put_family(AttributeType::requested_address_family, family);
  };
}

void expect_family(Session& session, Family family) {
  const Reply reply = try_allocate(session.open(), of_family(family));
  if (reply.error() == 440) {
    not_supported(family == Family::ipv6 ? "the server has no IPv6 relays (440)"
                                         : "the server has no IPv4 relays (440)");
  }
  expect_success(reply);
  const Endpoint relayed = Session::relayed(reply);
  expect(relayed.family() == family, "a relayed address of the family", relayed.to_string());
}

void family_ipv4(Session& session) { expect_family(session, Family::ipv4); }
void family_ipv6(Session& session) { expect_family(session, Family::ipv6); }

void no_family_is_ipv4(Session& session) {
  const Reply reply = try_allocate(
      session.open(), [](MessageBuilder& message) { message.put_requested_transport(udp); });
  if (reply.error() == 440) return;  // IPv4 is not supported
  expect_success(reply);
  const Endpoint relayed = Session::relayed(reply);
  expect(relayed.family() == Family::ipv4, "an IPv4 relayed address", relayed.to_string());
}

void unknown_family_is_440(Session& session) {
  const Reply reply = try_allocate(session.open(), [](MessageBuilder& message) {
    constexpr std::uint32_t family_3 = 0x03000000;
    message.put_requested_transport(udp).put_u32(AttributeType::requested_address_family, family_3);
  });
  expect_error(reply, std::vector<std::uint16_t>{440, 400});
}

/// Whether the server knows ADDITIONAL-ADDRESS-FAMILY at all: it is comprehension-optional, so a
/// server of RFC 5766 ignores it and is right.
Reply allocate_dual(Session& session) {
  Reply reply = try_allocate(session.open(), [](MessageBuilder& message) {
    message.put_requested_transport(udp).put_family(AttributeType::additional_address_family,
                                                    Family::ipv6);
  });
  if (reply.error() == 440 || reply.error() == 508) {
    not_supported("the server has neither family: " + reply.describe());
  }
  expect_success(reply);
  if (reply.xor_addresses(AttributeType::xor_relayed_address).size() == 1 &&
      !reply.has(AttributeType::address_error_code)) {
    not_supported("the server ignores ADDITIONAL-ADDRESS-FAMILY");
  }
  return reply;
}

void both_family_attributes_are_400(Session& session) {
  static_cast<void>(allocate_dual(session));
  const Reply reply = try_allocate(session.open(), [](MessageBuilder& message) {
    message.put_requested_transport(udp)
        .put_family(AttributeType::requested_address_family, Family::ipv4)
        .put_family(AttributeType::additional_address_family, Family::ipv6);
  });
  expect_error(reply, 400);
}

void additional_ipv4_is_400(Session& session) {
  static_cast<void>(allocate_dual(session));
  const Reply reply = try_allocate(session.open(), [](MessageBuilder& message) {
    message.put_requested_transport(udp).put_family(AttributeType::additional_address_family,
                                                    Family::ipv4);
  });
  expect_error(reply, 400);
}

void additional_with_reserve_is_400(Session& session) {
  static_cast<void>(allocate_dual(session));
  const Reply reply = try_allocate(session.open(), [](MessageBuilder& message) {
    message.put_requested_transport(udp)
        .put_family(AttributeType::additional_address_family, Family::ipv6)
        .put_even_port(true);
  });
  session.note_reservation(reply);
  expect_error(reply, 400);
}

void dual_has_two_or_says_why(Session& session) {
  const Reply reply = allocate_dual(session);
  const auto relayed = reply.xor_addresses(AttributeType::xor_relayed_address);
  const bool is_dual = relayed.size() == 2 && relayed[0].family() != relayed[1].family();
  if (is_dual) return;
  const auto value = reply.view().find(AttributeType::address_error_code);
  const auto error = stun::decode_address_error_code(value.value_or(ByteView{}));
  const std::uint16_t code = error ? error->code : std::uint16_t{0};
  expect(relayed.size() == 1 && (code == 440 || code == 508),
         "two relayed addresses, or one and ADDRESS-ERROR-CODE 440 or 508",
         std::to_string(relayed.size()) + " relayed addresses, ADDRESS-ERROR-CODE " +
             std::to_string(code));
}

// --- EVEN-PORT and RESERVATION-TOKEN -------------------------------------------------------------

/// EVEN-PORT; the server may not know it (420) or have no such port (508).
Reply allocate_even(Session& session, Flow& flow, bool reserve) {
  Reply reply = try_allocate(flow, [&](MessageBuilder& message) {
    session.put_udp_relay(message);
    message.put_even_port(reserve);
  });
  session.note_reservation(reply);
  if (reply.error() == 420) not_supported("the server does not know EVEN-PORT (420)");
  if (reply.error() == 440) not_supported("the server has no relays of this family (440)");
  if (reply.error() == 508) not_tried("the server has no such port now (508)");
  expect_success(reply);
  return reply;
}

std::uint64_t token_of(const Reply& reply) {
  const auto value = reply.view().find(AttributeType::reservation_token);
  const auto token = value ? stun::decode_reservation_token(*value) : std::nullopt;
  if (!token) fail("RESERVATION-TOKEN of 8 bytes", "none");
  return *token;
}

Body with_token(std::uint64_t token) {
  return [token](MessageBuilder& message) {
    message.put_requested_transport(udp).put_u64(AttributeType::reservation_token, token);
  };
}

void even_port_is_even(Session& session) {
  for (int i = 0; i < 3; ++i) {  // once would be chance
    Flow& flow = session.open();
    const Endpoint relayed = Session::relayed(allocate_even(session, flow, false));
    expect(relayed.port % 2 == 0, "an even port", relayed.to_string());
  }
}

void reserved_port_is_the_next(Session& session) {
  const Reply first = allocate_even(session, session.open(), true);
  const Endpoint even = Session::relayed(first);
  expect(even.port % 2 == 0, "an even port", even.to_string());
  const std::uint64_t token = token_of(first);
  const Reply second = try_allocate(session.open(), with_token(token));
  expect_success(second);
  session.forget_reservation();
  const Endpoint odd = Session::relayed(second);
  const Endpoint expected{even.address, static_cast<std::uint16_t>(even.port + 1)};
  expect(odd == expected, expected.to_string(), odd.to_string());
}

void token_serves_once(Session& session) {
  const std::uint64_t token = token_of(allocate_even(session, session.open(), true));
  expect_success(try_allocate(session.open(), with_token(token)));
  session.forget_reservation();
  expect_error(try_allocate(session.open(), with_token(token)), 508);
}

void token_is_repeated(Session& session) {
  Flow& flow = session.open();
  const Bytes request = flow.build_signed(
      Method::allocate,
      [&](MessageBuilder& message) {
        session.put_udp_relay(message);
        message.put_even_port(true);
      },
      flow.signature());
  const Reply first = flow.ask_for_reply(request);
  session.note_reservation(first);
  if (!first.is_success()) not_tried("no reservation: " + first.describe());
  const Reply second = flow.ask_for_reply(request);
  expect_success(second);
  expect(token_of(first) == token_of(second), "the same RESERVATION-TOKEN", "another one");
}

void unknown_token_is_508(Session& session) {
  expect_error(try_allocate(session.open(), with_token(session.random().next_u64())), 508);
}

void token_excludes(Session& session) {
  const std::uint64_t token = session.random().next_u64();
  const auto refused = [&](const Body& more) {
    return try_allocate(session.open(), [&](MessageBuilder& message) {
      message.put_requested_transport(udp).put_u64(AttributeType::reservation_token, token);
      more(message);
    });
  };
  expect_error(refused([](MessageBuilder& m) { m.put_even_port(false); }), 400);
  expect_error(refused([](MessageBuilder& m) {
                 m.put_family(AttributeType::requested_address_family, Family::ipv4);
               }),
               400);
  expect_error(refused([](MessageBuilder& m) {
                 m.put_family(AttributeType::additional_address_family, Family::ipv6);
               }),
               400);
}

// --- Others --------------------------------------------------------------------------------------

void dont_fragment_or_420(Session& session) {
  const Reply reply = try_allocate(session.open(), [&](MessageBuilder& message) {
    session.put_udp_relay(message);
    message.put_empty(AttributeType::dont_fragment);
  });
  if (reply.error() == 440) not_supported("the server has no relays of this family (440)");
  if (reply.error() == 420) {
    const auto listed = reply.unknown_attributes();
    expect(listed.size() == 1 && listed[0] == 0x001a, "DONT-FRAGMENT in UNKNOWN-ATTRIBUTES",
           std::to_string(listed.size()) + " other types");
    not_supported("the server cannot set the DF bit (420)");
  }
  expect_success(reply);
}

void software_is_sent(Session& session) {
  const Reply reply = session.allocate(session.open());
  expect(reply.has(AttributeType::software), "SOFTWARE in the Allocate response", "none");
}

/// However many a user may have: beyond that it is 486, or the server is full, or names another.
void quota_is_486(Session& session) {
  constexpr int allocations_max = 40;  // no more of a stranger's ports than that
  for (int i = 0; i < allocations_max; ++i) {
    Flow& flow = session.open();
    const Reply reply = try_allocate(flow, [&](MessageBuilder& m) { session.put_udp_relay(m); });
    if (!reply.is_success()) return expect_error(reply, std::vector<std::uint16_t>{300, 486, 508});
  }
  not_tried("the quota, if there is one, is above " + std::to_string(allocations_max));
}

}  // namespace

std::vector<Check> rfc8656_allocate_checks() {
  using enum Applies;
  using enum Strength;
  return {
      {"allocate-success-is-complete", "41", "RFC 8656 §7.2",
       "A success has XOR-RELAYED-ADDRESS, LIFETIME and XOR-MAPPED-ADDRESS.", must, everywhere,
       success_is_complete},
      {"relayed-addresses-are-unique", "31", "RFC 8656 §6",
       "No two allocations share a relayed transport address.", must, everywhere,
       relayed_addresses_are_unique},
      {"relayed-port-is-not-well-known", "42", "RFC 8656 §7.2",
       "Ports 0 to 1023 should not be allocated.", should, everywhere, ports_are_not_well_known},
      {"relayed-ports-are-random", "42", "RFC 8656 §7.2",
       "Randomised port assignment is recommended.", should, everywhere, ports_are_random},
      {"retransmitted-allocate-gets-the-same-answer", "32", "RFC 8656 §7.2",
       "A retransmission makes no second allocation: the success is repeated.", must, datagrams,
       retransmission_gets_the_same},
      {"second-allocate-is-437", "32", "RFC 8656 §7.2",
       "The 5-tuple is in use by an existing allocation: 437.", must, everywhere,
       second_allocate_is_437},
      {"allocation-quota-is-486", "30, 41", "RFC 8656 §7.2, §19",
       "Beyond the user's quota: 486; without room: 508, or 300.", must, everywhere, quota_is_486},
      {"five-tuples-are-separate", "28, 31", "RFC 8656 §5",
       "A request on a 5-tuple without allocation: 437.", must, everywhere,
       five_tuples_are_separate},
      {"allocate-without-requested-transport-is-400", "33", "RFC 8656 §7.2",
       "REQUESTED-TRANSPORT is not included: 400.", must, everywhere, transport_is_needed},
      {"malformed-requested-transport-is-400", "33", "RFC 8656 §7.2",
       "REQUESTED-TRANSPORT is malformed: 400.", must, everywhere, transport_must_be_well_formed},
      {"unsupported-transport-is-442", "33", "RFC 8656 §7.2",
       "A protocol that is not supported: 442.", must, everywhere, unknown_transport_is_442},
      {"reserved-bits-of-requested-transport-are-ignored", "33", "RFC 8656 §18.8",
       "The RFFU field must be ignored on reception.", must, everywhere, reserved_bits_are_ignored},
      {"allocate-lifetime-defaults-to-600", "40", "RFC 8656 §7.2",
       "Without LIFETIME the default lifetime is used.", must, everywhere, lifetime_defaults},
      {"allocate-lifetime-is-at-least-600", "40", "RFC 8656 §7.2",
       "A wish below the default lifetime gets the default.", must, everywhere,
       lifetime_is_at_least_the_default},
      {"allocate-lifetime-zero-is-600", "40", "RFC 8656 §7.2",
       "LIFETIME 0 in an Allocate gets the default.", must, everywhere,
       lifetime_zero_is_the_default},
      {"allocate-lifetime-is-granted", "40", "RFC 8656 §7.2",
       "The minimum of the wish and the server's maximum, if above the default.", must, everywhere,
       lifetime_is_granted},
      {"allocate-lifetime-is-capped", "40", "RFC 8656 §7.2",
       "A maximum of no more than 3600 s is recommended.", should, everywhere, lifetime_is_capped},
      {"requested-family-ipv4", "37", "RFC 8656 §7.2",
       "REQUESTED-ADDRESS-FAMILY IPv4: an IPv4 relay, or 440.", must, everywhere, family_ipv4},
      {"requested-family-ipv6", "37", "RFC 8656 §7.2",
       "REQUESTED-ADDRESS-FAMILY IPv6: an IPv6 relay, or 440.", must, everywhere, family_ipv6},
      {"no-requested-family-is-ipv4", "37", "RFC 8656 §7.2",
       "Without REQUESTED-ADDRESS-FAMILY the relay is IPv4, over IPv6 too.", must, everywhere,
       no_family_is_ipv4},
      {"unknown-family-is-440", "37", "RFC 8656 §7.2",
       "A family that the server does not support: 440.", must, everywhere, unknown_family_is_440},
      {"requested-and-additional-family-are-400", "36", "RFC 8656 §7.2",
       "REQUESTED- and ADDITIONAL-ADDRESS-FAMILY together: 400.", must, everywhere,
       both_family_attributes_are_400},
      {"additional-family-ipv4-is-400", "36", "RFC 8656 §7.2",
       "ADDITIONAL-ADDRESS-FAMILY IPv4: 400.", must, everywhere, additional_ipv4_is_400},
      {"additional-family-with-reserved-port-is-400", "36", "RFC 8656 §7.2",
       "EVEN-PORT with R=1 and ADDITIONAL-ADDRESS-FAMILY: 400.", must, everywhere,
       additional_with_reserve_is_400},
      {"dual-allocation-has-two-addresses", "38", "RFC 8656 §7.2",
       "Two XOR-RELAYED-ADDRESS, or one and ADDRESS-ERROR-CODE.", must, everywhere,
       dual_has_two_or_says_why},
      {"even-port-is-even", "39", "RFC 8656 §7.2", "EVEN-PORT: the relayed port is even.", must,
       everywhere, even_port_is_even},
      {"reservation-token-gives-the-next-port", "35, 39", "RFC 8656 §7.2",
       "R=1 reserves port N+1, and the token gets it, on any 5-tuple.", must, everywhere,
       reserved_port_is_the_next},
      {"reservation-token-serves-once", "35", "RFC 8656 §7.2",
       "A reserved address that is not available any more: 508.", must, everywhere,
       token_serves_once},
      {"retransmitted-allocate-repeats-the-token", "32", "RFC 8656 §7.2",
       "The repeated success has the same RESERVATION-TOKEN.", must, datagrams, token_is_repeated},
      {"unknown-reservation-token-is-508", "35", "RFC 8656 §7.2",
       "A token that is not valid for some reason: 508.", must, everywhere, unknown_token_is_508},
      {"reservation-token-excludes-other-wishes", "35", "RFC 8656 §7.2",
       "RESERVATION-TOKEN with EVEN-PORT or a family: 400.", must, everywhere, token_excludes},
      {"dont-fragment-is-supported-or-420", "34", "RFC 8656 §7.2",
       "DONT-FRAGMENT: supported, or an unknown attribute.", must, everywhere,
       dont_fragment_or_420},
      {"allocate-success-has-software", "41", "RFC 8656 §5",
       "SOFTWARE should be in all Allocate and Refresh responses.", should, everywhere,
       software_is_sent},
  };
}

}  // namespace turnpike::conformance
