// RFC 8016: an allocation that moves with its client from one address to another.
#include <algorithm>

#include "conformance/catalogue.h"
#include "conformance/frame.h"

namespace turnpike::conformance {
namespace {

using stun::AttributeType;
using stun::MessageBuilder;
using stun::Method;

constexpr std::uint16_t bad_request = 400;
constexpr std::uint16_t mobility_forbidden = 405;
constexpr std::uint16_t allocation_mismatch = 437;
constexpr std::uint16_t wrong_credentials = 441;
constexpr std::uint16_t channel = 0x4000;

Bytes ticket_in(const Reply& reply) {
  const auto value = reply.view().find(AttributeType::mobility_ticket);
  if (!value || value->empty()) {
    fail("MOBILITY-TICKET in the success", value ? "an empty one" : "none");
  }
  return {value->begin(), value->end()};
}

Body with_ticket(ByteView ticket) {
  return [ticket](MessageBuilder& message) { message.put(AttributeType::mobility_ticket, ticket); };
}

/// An allocation that may move, and the ticket for it.
struct Mobile {
  Flow& flow;
  Endpoint relayed;
  Bytes ticket;
};

Mobile open_mobile(Session& session) {
  Flow& flow = session.open();
  const Reply reply = flow.request(Method::allocate, [&](MessageBuilder& message) {
    session.put_udp_relay(message);
    message.put_empty(AttributeType::mobility_ticket);
  });
  if (reply.error() == mobility_forbidden) not_supported("the server forbids mobility (405)");
  if (reply.error() == 440) not_supported("the server has no relays of this family (440)");
  if (reply.error() == 486 || reply.error() == 508) {
    not_tried("the server makes no more allocations: " + reply.describe());
  }
  expect_success(reply);
  if (!reply.has(AttributeType::mobility_ticket)) {
    not_supported("the server ignores MOBILITY-TICKET");
  }
  return {flow, Session::relayed(reply), ticket_in(reply)};
}

/// Both places of an allocation that has moved, and has not been used in the new one yet.
struct Moved {
  Mobile from;
  Flow& to;
  Bytes ticket;  ///< the new one
};

Moved move(Session& session, Mobile mobile, const FlowOptions& options = {}) {
  Flow& to = session.open(options);
  to.take_challenge_of(mobile.flow);
  const Reply reply = to.request(Method::refresh, with_ticket(mobile.ticket));
  expect_success(reply);
  return {std::move(mobile), to, ticket_in(reply)};
}

/// The new place is made the only one: by data for `peer`, which must arrive.
void settle(Session& session, const Moved& moved, Peer& peer) {
  const Bytes payload = session.random_bytes(16);
  session.expect_at_peer(moved.to, session.send_indication(moved.to, peer.endpoint(), payload),
                         peer, payload);
}

// --- Allocate, §3.1.2 ----------------------------------------------------------------------------

void allocate_gives_a_ticket(Session& session) { static_cast<void>(open_mobile(session)); }

void content_in_allocate_is_400(Session& session) {
  const Mobile mobile = open_mobile(session);
  const Reply reply = session.open().request(Method::allocate, [&](MessageBuilder& message) {
    session.put_udp_relay(message);
    message.put(AttributeType::mobility_ticket, mobile.ticket);
  });
  expect_error(reply, bad_request);
}

// --- Refresh, §3.2.2 -----------------------------------------------------------------------------

void refresh_moves(Session& session) {
  const Mobile mobile = open_mobile(session);
  Flow& to = session.open();
  to.take_challenge_of(mobile.flow);
  const Reply reply = to.request(Method::refresh, with_ticket(mobile.ticket));
  expect_success(reply);
  expect(reply.lifetime() && *reply.lifetime() > seconds{0}, "a LIFETIME above 0", "none");
  expect(ticket_in(reply) != mobile.ticket, "a ticket that differs from the old one", "the same");
}

void relayed_address_stays(Session& session) {
  const Mobile mobile = open_mobile(session);
  Peer& peer = session.add_peer();
  session.permit(mobile.flow, peer.endpoint().address);
  const Moved moved = move(session, mobile);
  const Bytes payload = session.random_bytes(16);
  const Received at_peer = session.expect_at_peer(
      moved.to, session.send_indication(moved.to, peer.endpoint(), payload), peer, payload);
  if (at_peer.from.address != mobile.relayed.address) not_tried("the relays are behind a NAT");
  expect(at_peer.from == mobile.relayed, mobile.relayed.to_string(), at_peer.from.to_string());
}

void channels_stay(Session& session) {
  const Mobile mobile = open_mobile(session);
  Peer& peer = session.add_peer();
  session.bind_channel(mobile.flow, channel, peer.endpoint());
  const Moved moved = move(session, mobile);
  const Bytes up = session.random_bytes(16);
  session.expect_at_peer(moved.to, make_channel_data(channel, up, 0), peer, up);
  const Bytes down = session.random_bytes(16);
  const FromPeer came = session.expect_at_client(moved.to, peer, down, mobile.relayed);
  expect(came.channel == channel, "ChannelData of the channel that was bound before", "another");
}

void old_place_hears_until_data(Session& session) {
  const Mobile mobile = open_mobile(session);
  Peer& peer = session.add_peer();
  session.permit(mobile.flow, peer.endpoint().address);
  const Moved moved = move(session, mobile);
  session.expect_at_client(mobile.flow, peer, session.random_bytes(16), mobile.relayed);
  session.expect_nothing_at_client(moved.to, "it has sent no data yet");
}

void old_place_speaks_until_data(Session& session) {
  const Mobile mobile = open_mobile(session);
  Peer& peer = session.add_peer();
  session.permit(mobile.flow, peer.endpoint().address);
  const Moved moved = move(session, mobile);
  const Bytes payload = session.random_bytes(16);
  session.expect_at_peer(
      mobile.flow, session.send_indication(mobile.flow, peer.endpoint(), payload), peer, payload);
}

void new_place_hears_after_data(Session& session) {
  const Mobile mobile = open_mobile(session);
  Peer& peer = session.add_peer();
  session.permit(mobile.flow, peer.endpoint().address);
  const Moved moved = move(session, mobile);
  settle(session, moved, peer);
  session.expect_at_client(moved.to, peer, session.random_bytes(16), mobile.relayed);
  if (!mobile.flow.is_closed()) {
    session.expect_nothing_at_client(mobile.flow, "the client has moved away");
  }
}

void old_place_is_given_up(Session& session) {
  const Mobile mobile = open_mobile(session);
  Peer& peer = session.add_peer();
  session.permit(mobile.flow, peer.endpoint().address);
  const Moved moved = move(session, mobile);
  settle(session, moved, peer);
  const auto reply =
      mobile.flow.ask(mobile.flow.build_signed(Method::refresh, {}, mobile.flow.signature()));
  if (!reply && mobile.flow.is_closed()) return;  // a stream may go with its 5-tuple
  if (!reply) fail("437 at the old place", "silence");
  expect_error(*reply, allocation_mismatch);
}

void moves_again(Session& session) {
  const Mobile mobile = open_mobile(session);
  Peer& peer = session.add_peer();
  session.permit(mobile.flow, peer.endpoint().address);
  Moved once = move(session, mobile);
  settle(session, once, peer);
  const Moved twice = move(session, {once.to, mobile.relayed, once.ticket});
  settle(session, twice, peer);
  session.expect_at_client(twice.to, peer, session.random_bytes(16), mobile.relayed);
}

void old_ticket_serves_no_third(Session& session) {
  const Mobile mobile = open_mobile(session);
  Peer& peer = session.add_peer();
  session.permit(mobile.flow, peer.endpoint().address);
  const Moved moved = move(session, mobile);
  settle(session, moved, peer);
  const Reply reply = session.open().request(Method::refresh, with_ticket(mobile.ticket));
  expect_error(reply, {bad_request, allocation_mismatch});
}

void unmoved_is_400(Session& session) {
  const Mobile mobile = open_mobile(session);
  expect_error(mobile.flow.request(Method::refresh, with_ticket(mobile.ticket)), bad_request);
  expect_success(mobile.flow.request(Method::refresh));  // no harm done
}

void garbage_is_400(Session& session) {
  const Mobile mobile = open_mobile(session);
  const Bytes garbage = session.random_bytes(mobile.ticket.size());
  expect_error(session.open().request(Method::refresh, with_ticket(garbage)), bad_request);
}

/// §5: "the ticket is authenticated". In the text the ticket is decrypted first, so that a changed
/// one can be told from one whose allocation is gone.
void changed_ticket_is_400(Session& session) {
  const Mobile mobile = open_mobile(session);
  for (const std::size_t at : {std::size_t{0}, mobile.ticket.size() - 1}) {
    Bytes changed = mobile.ticket;
    changed[at] ^= 0x01;
    expect_error(session.open().request(Method::refresh, with_ticket(changed)), bad_request);
  }
}

void empty_ticket_is_400(Session& session) {
  static_cast<void>(open_mobile(session));
  expect_error(session.open().request(Method::refresh, with_ticket({})), bad_request);
}

void ticket_of_the_deleted_is_437(Session& session) {
  const Mobile mobile = open_mobile(session);
  expect(mobile.flow.delete_allocation(), "the allocation is deleted", "it is not");
  const Reply reply = session.open().request(Method::refresh, with_ticket(mobile.ticket));
  expect_error(reply, allocation_mismatch);
}

void other_user_is_441(Session& session) {
  FlowOptions options;
  options.as_second_user = true;
  Flow& stranger = session.open(options);
  const Mobile mobile = open_mobile(session);
  expect_error(stranger.request(Method::refresh, with_ticket(mobile.ticket)), wrong_credentials);
  expect_success(mobile.flow.request(Method::refresh));  // it is where it was
}

void retransmission_is_answered(Session& session) {
  const Mobile mobile = open_mobile(session);
  Flow& to = session.open();
  const Bytes request =
      to.build_signed(Method::refresh, with_ticket(mobile.ticket), to.signature());
  expect_success(to.ask_for_reply(request));
  Reply second = to.ask_for_reply(request);
  constexpr std::uint16_t stale_nonce = 438;  // may come at any time
  if (second.error() == stale_nonce) {
    second = to.request(Method::refresh, with_ticket(mobile.ticket));
  }
  expect_success(second);
  static_cast<void>(ticket_in(second));
}

void moves_across_transports(Session& session) {
  const auto other = [&] {
    switch (session.transport()) {
      case Transport::udp:
        return Transport::tcp;
      case Transport::tcp:
        return Transport::udp;
      case Transport::tls:
        return Transport::dtls;
      case Transport::dtls:
        break;
    }
    return Transport::tls;
  }();
  const Mobile mobile = open_mobile(session);
  FlowOptions options;
  options.transport = other;
  const auto to = session.try_open(options);
  if (!to) not_tried("the server cannot be reached over " + std::string{to_string(other)});
  Peer& peer = session.add_peer();
  session.permit(mobile.flow, peer.endpoint().address);
  const Reply reply = (*to)->request(Method::refresh, with_ticket(mobile.ticket));
  expect_success(reply);
  settle(session, {mobile, **to, ticket_in(reply)}, peer);
  session.expect_at_client(**to, peer, session.random_bytes(16), mobile.relayed);
}

}  // namespace

std::vector<Check> rfc8016_checks() {
  using enum Applies;
  using enum Strength;
  return {
      {"mobility-ticket-is-given", "64", "RFC 8016 §3.1.2",
       "Who asks for a ticket with an empty one gets one with the allocation.", must, everywhere,
       allocate_gives_a_ticket},
      {"allocate-with-filled-ticket-is-400", "64", "RFC 8016 §3.1.2",
       "A ticket with content has no place in an Allocate.", must, everywhere,
       content_in_allocate_is_400},
      {"ticket-moves-the-allocation", "65", "RFC 8016 §3.2.2",
       "Refresh with the ticket from elsewhere succeeds and gives another ticket.", must,
       everywhere, refresh_moves},
      {"moved-allocation-keeps-its-relayed-address", "66", "RFC 8016 §3",
       "Relayed address and permissions stay.", must, everywhere, relayed_address_stays},
      {"moved-allocation-keeps-its-channels", "66", "RFC 8016 §3",
       "Channels need not be bound again.", must, everywhere, channels_stay},
      {"old-5-tuple-hears-until-the-new-one-sends", "66", "RFC 8016 §3.2.2",
       "The peer's data goes the old way until the client sends data on the new one.", must,
       everywhere, old_place_hears_until_data},
      {"old-5-tuple-sends-until-the-new-one-does", "66", "RFC 8016 §3.2.2",
       "The client's data is taken on the old way until it comes on the new one.", must, everywhere,
       old_place_speaks_until_data},
      {"new-5-tuple-hears-once-it-has-sent", "66", "RFC 8016 §3.2.2",
       "Then the peer's data goes there and nowhere else.", must, everywhere,
       new_place_hears_after_data},
      {"old-5-tuple-is-discarded", "66", "RFC 8016 §3.2.2",
       "Then the old 5-tuple has no allocation.", must, everywhere, old_place_is_given_up},
      {"moved-allocation-moves-again", "66", "RFC 8016 §3.2.2", "The new ticket serves next time.",
       must, everywhere, moves_again},
      {"old-ticket-is-for-retransmission-only", "66", "RFC 8016 §3.2.2",
       "A ticket that was used moves nothing to a third place.", must, everywhere,
       old_ticket_serves_no_third},
      {"ticket-without-a-move-is-400", "67", "RFC 8016 §3.2.2",
       "A ticket from the very address that has the allocation.", must, everywhere, unmoved_is_400},
      {"garbage-ticket-is-400", "65", "RFC 8016 §3.2.2", "A ticket that nobody gave.", must,
       everywhere, garbage_is_400},
      {"changed-ticket-is-400", "67", "RFC 8016 §5", "A ticket is authenticated.", must, everywhere,
       changed_ticket_is_400},
      {"empty-ticket-in-refresh-is-400", "65", "RFC 8016 §3.2.2",
       "An empty ticket is for Allocate, and no valid one.", must, everywhere, empty_ticket_is_400},
      {"ticket-of-deleted-allocation-is-437", "65", "RFC 8016 §3.2.2",
       "A valid ticket without an allocation.", must, everywhere, ticket_of_the_deleted_is_437},
      {"ticket-of-another-user-is-441", "65", "RFC 8016 §3.2.2",
       "Only the user who made an allocation moves it.", must, everywhere, other_user_is_441},
      {"retransmitted-move-is-answered", "66", "RFC 8016 §3.2.2",
       "The same Refresh again is recognised by its old ticket.", must, datagrams,
       retransmission_is_answered},
      {"ticket-moves-across-transports", "66", "RFC 8016 §3",
       "A client in another network may have to use another transport.", advice, everywhere,
       moves_across_transports},
  };
}

}  // namespace turnpike::conformance
