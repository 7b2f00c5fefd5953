// The comparison of what the server wants with what the model allows, and the balances.
#include <algorithm>
#include <sstream>

#include "sim/wanted.h"

namespace turnpike::sim {
namespace {

using turn::Reason;
using turn::WorkerId;

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

std::string hex(ByteView bytes) {
  std::ostringstream out;
  for (const std::uint8_t byte : bytes) {
    out << "0123456789abcdef"[byte >> 4] << "0123456789abcdef"[byte & 15];
  }
  return out.str();
}

bool is_of_discovery(const Bytes& response) {
  const auto message = wire::read(response);
  return message && message->has(0x802C);  // OTHER-ADDRESS
}

/// What closes, in an order that does not matter.
using Names = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

template <class Id>
Names names_of(const std::vector<Id>& ids) {
  Names names;
  for (const Id& id : ids) names.emplace_back(id.slot, id.generation);
  std::sort(names.begin(), names.end());
  return names;
}

/// Of those, the ones of `worker`.
template <class Id>
Names names_at(WorkerId worker, const std::vector<std::pair<WorkerId, Id>>& all) {
  std::vector<Id> its_own;
  for (const auto& [its_worker, id] : all) {
    if (its_worker == worker) its_own.push_back(id);
  }
  return names_of(its_own);
}

/// The error code that a reason stands for (reason.h); 0: not known, or several.
int code_of(Reason reason) {
  switch (reason) {
    case Reason::refused_try_alternate:
      return 300;
    case Reason::refused_bad_credentials:
    case Reason::refused_bad_request:
      return 400;
    case Reason::refused_no_credentials:
    case Reason::refused_unknown_user:
    case Reason::refused_expired_user:
    case Reason::refused_revoked_user:
    case Reason::refused_wrong_password:
      return 401;
    case Reason::refused_forbidden:
      return 403;
    case Reason::refused_unknown_attribute:
      return 420;
    case Reason::refused_mismatch:
      return 437;
    case Reason::refused_stale_nonce:
      return 438;
    case Reason::refused_family:
      return 440;
    case Reason::refused_wrong_user:
      return 441;
    case Reason::refused_transport:
      return 442;
    case Reason::refused_peer_family:
      return 443;
    case Reason::refused_connection_exists:
      return 446;
    case Reason::refused_not_connected:
      return 447;
    case Reason::refused_quota:
      return 486;
    case Reason::refused_classic_stun:
      return 500;
    case Reason::refused_capacity:
      return 508;
    default:
      return 0;
  }
}

/// Each once: saying it again does no harm.
std::vector<FiveTuple> tuples_of(const std::vector<turn::ClientFlow>& flows) {
  std::vector<FiveTuple> tuples;
  for (const turn::ClientFlow& flow : flows) tuples.push_back(flow.tuple);
  std::sort(tuples.begin(), tuples.end(), [](const FiveTuple& a, const FiveTuple& b) {
    return std::tuple{a.client, a.server} < std::tuple{b.client, b.server};
  });
  tuples.erase(std::unique(tuples.begin(), tuples.end()), tuples.end());
  return tuples;
}

/// What comes as one train with a datagram that went over a channel: the same again, another
/// channel's, and the same once more. At times, and nothing is drawn for it.
std::vector<Bytes> rest_of_train(const turn::Handled& handled, const Bytes& first) {
  const bool has_channel = handled.forward && handled.forward->channel();
  if (!has_channel || first.size() % 4 != 0) return {};
  Bytes other = first;
  other.at(1) ^= 1;
  return {first, other, first};
}

}  // namespace

void Simulation::fail(const std::string& what) const {
  std::ostringstream out;
  out << "seed " << settings_.seed << ", at "
      << std::chrono::duration<double>(now_ - first_instant).count() << " s: " << what;
  throw Violation{out.str()};
}

/// One datagram of a client at one worker, and at its home after that if it is a guest.
void Simulation::at_worker(WorkerId worker, const turn::ClientFlow& flow, const Bytes& datagram) {
  ++coverage_.inputs;
  const Bytes exact = datagram;  // on the heap, so that ASan sees a read past the end
  const Verdict verdict = model_.on_client(worker, flow, exact, now());
  turn::Handled handled = server(worker).on_client_datagram(flow, exact, now(), effects_);
  settle(worker, verdict, &handled, exact);
  for (const Bytes& next : rest_of_train(handled, exact)) {
    const Verdict next_verdict = model_.on_client(worker, flow, next, now());
    follow(worker, next_verdict, handled, next,
           [&] { return server(worker).on_client_datagram(flow, next, now(), effects_); });
  }
  if (verdict.to_home) {
    const auto* const route = handled.forward->home_route();
    require(route != nullptr && route->home == *verdict.to_home, "handed on to another home");
    require(*verdict.to_home != worker, "handed on to itself");
    require(route->from.tuple == flow.tuple, "handed on as somebody else");
    require(worker == flow.worker, "handed on twice");
    at_worker(route->home, turn::ClientFlow{route->from}, exact);
  }
}

/// `next` comes in the same train as the datagram of `handled`: it goes the same way, or is judged.
void Simulation::follow(WorkerId worker, const Verdict& verdict, turn::Handled& handled,
                        const Bytes& next, const std::function<turn::Handled()>& judge) {
  ++coverage_.inputs;
  const bool goes_the_same_way = server(worker).relays_next(handled, next, now_);
  if (goes_the_same_way) {
    ++coverage_.followers;
  } else {
    handled = judge();
  }
  settle(worker, verdict, &handled, next);
}

void Simulation::settle(WorkerId worker, const Verdict& verdict, const turn::Handled* handled,
                        ByteView input) {
  const Wanted wanted = take(effects_);
  if (handled != nullptr) {
    ++coverage_.reasons.at(static_cast<std::size_t>(handled->reason));
    say("worker " + std::to_string(static_cast<int>(worker)) + ": " +
        std::string{to_string(handled->reason)});
    compare_forward(worker, verdict, *handled, input);
    settle_reason(verdict, handled->reason);
    // Besides who is throttled: whose own Allocate waits for its socket.
    const bool may_be_silent = handled->reason == Reason::dropped_challenge_budget ||
                               handled->reason == Reason::dropped_throttled ||
                               handled->reason == Reason::dropped_pending;
    if (may_be_silent) liveness_.excuse(Bytes(input.begin(), input.end()));
    check_drain(wanted, input);
  }
  for (const auto& [flow, bytes] : wanted.sent) trace_.note(bytes);
  check_size(wanted, input);
  compare_response(worker, verdict, wanted);
  compare_connections(worker, verdict, wanted);
  compare_ends(worker, verdict, wanted);
  carry_out(worker, wanted, verdict);
  check_balance();
}

/// A Binding is answered at no more length than it came, but for four addresses (I-2).
void Simulation::check_size(const Wanted& wanted, ByteView request) const {
  constexpr std::size_t four_addresses = 4 * 24;
  constexpr unsigned method_bits = 0x3eef;
  for (const auto& [flow, bytes] : wanted.sent) {
    if ((wire::number(ByteView{bytes}.first(2)) & method_bits) != 0x001) continue;
    require(bytes.size() <= request.size() + four_addresses, "a stranger's bytes are multiplied");
  }
}

/// Whoever drains begins nothing new; a reservation is not new (I-20).
void Simulation::check_drain(const Wanted& wanted, ByteView request) const {
  if (!is_draining_ || wanted.opens.empty()) return;
  require(wire::read(request)->has(0x0022), "a server that drains begins an allocation");
}

/// Where nothing is scarce, nobody refuses a correct client an allocation (I-20); but he may need a
/// nonce first, or have one already, and reservations run out.
void Simulation::check_service(const turn::ClientFlow& flow, const Bytes& response) {
  const Client& someone = *clients_.at(intruder);
  if (!settings_.is_apart || !is_of_another(flow, someone)) return;
  const Bytes* const request = liveness_.request_of(response);
  if (request == nullptr) return;
  const wire::Message asked = wire::read(*request).value();
  const wire::Message answer = wire::read(response).value();
  const Bytes* const error = answer.find(0x0009);
  if (asked.method != 0x003 || error == nullptr) return;
  const int code = wire::error_code(*error);
  const bool is_signed = asked.integrity || asked.integrity_sha256;
  const bool is_no_refusal = (code == 401 && !is_signed) || code == 438 || code == 437 ||
                             (code == 508 && asked.has(0x0022));
  if (!is_no_refusal) fail("a correct client is refused an allocation: " + std::to_string(code));
}

/// Every datagram ends in one reason, and that says what has become of it.
void Simulation::settle_reason(const Verdict& verdict, Reason reason) const {
  const std::string_view name = to_string(reason);
  const bool forwards =
      verdict.to_peer || verdict.to_client || verdict.to_neighbour || verdict.to_home;
  const bool is_short = verdict.may_lack_bandwidth && reason == Reason::dropped_bandwidth;
  if (forwards) {
    require(starts_with(name, "relayed_") || is_short, "payload was not passed on");
    return;
  }
  if (verdict.icmp_about) return require(reason == Reason::relayed_icmp, "ICMP was dropped");
  if (verdict.attempt) return require(reason == Reason::relayed_attempt, "no ConnectionAttempt");
  if (verdict.connects) return require(reason == Reason::answered_connect, "no Connect was begun");
  if (verdict.parked) return require(reason == Reason::parked, "a user was not asked for");
  if (verdict.response) {
    const bool may_be_silent = verdict.expense != Expense::none && !verdict.beyond;
    if (may_be_silent && reason == Reason::dropped_challenge_budget) return;
    const int code = verdict.response->code;
    if (code == 200) return require(starts_with(name, "answered_"), "a success was refused");
    const bool is_same = code_of(reason) == code;
    if (!is_same)
      fail("the model says " + std::to_string(code) + ", the server " + std::string{name});
    return;
  }
  if (verdict.wanted_relays > 0) {
    return require(reason == Reason::answered_allocate, "an Allocate was not begun");
  }
  if (!starts_with(name, "dropped_")) fail("the model is silent, the server " + std::string{name});
}

// --- responses -----------------------------------------------------------------------------------

void Simulation::compare_response(WorkerId worker, const Verdict& verdict, const Wanted& wanted) {
  if (verdict.icmp_about) return compare_icmp(verdict, wanted);
  if (verdict.attempt) return compare_attempt(verdict, wanted);
  // Connects that time out come before what was asked for.
  auto sent = wanted.sent;
  for (const Response& failed : verdict.failed_connects) {
    const auto found = std::find_if(sent.begin(), sent.end(), [&](const auto& each) {
      return std::equal(failed.id.begin(), failed.id.end(), each.second.begin() + 8);
    });
    require(found != sent.end(), "a Connect is not answered");
    compare_message(failed, found->first, found->second);
    sent.erase(found);
  }
  require(sent.size() <= 1, "more than one response");  // I-11
  if (!verdict.response) {
    if (!sent.empty()) fail("a response nobody expects: " + hex(sent[0].second));
    return;
  }
  const Bytes* const bytes = sent.empty() ? nullptr : &sent.front().second;
  const auto& expected = is_afforded(worker, verdict, bytes) ? verdict.response : verdict.beyond;
  if (!expected) return;
  require(!sent.empty(), "a response is missing");
  compare_message(*expected, sent.front().first, sent.front().second);
}

/// False: the budget of the sender's network was spent, so that less is said, or nothing (I-2).
bool Simulation::is_afforded(WorkerId worker, const Verdict& verdict, const Bytes* sent) {
  if (verdict.expense == Expense::none) return true;
  const bool is_spent = sent != nullptr && (!verdict.beyond || is_of_discovery(*sent));
  const IpAddress& source = verdict.response->to.tuple.client.address;
  require(model_.note_expense(verdict.expense, worker, source, is_spent, now_),
          "an answer to a stranger too many, or none");
  return is_spent;
}

void Simulation::compare_message(const Response& expected, const turn::ClientFlow& flow,
                                 const Bytes& bytes) {
  require(flow.tuple == expected.to.tuple, "the response goes to somebody else");
  require(flow.listener == expected.to.listener && flow.worker == expected.to.worker,
          "the response leaves from another socket");
  ++coverage_.codes[expected.code];
  if (expected.code == 500) return;  // of another protocol, RFC 3489
  const auto message = wire::read(bytes);
  if (!message) fail("a response that is none: " + hex(bytes));
  require(message->method == expected.method && message->id == expected.id,
          "a response to another request");
  const Bytes* const error = message->find(0x0009);
  const int code = message->message_class == wire::success ? 200
                   : error == nullptr                      ? 0
                                                           : wire::error_code(*error);
  if (code != expected.code) {
    fail("the model says " + std::to_string(expected.code) + ", the server " +
         std::to_string(code));
  }
  say("  " + std::to_string(code) + " to " + flow.tuple.client.to_string());
  compare_attributes(expected, *message);
}

void Simulation::compare_attributes(const Response& expected, const wire::Message& message) {
  require(message.has_fingerprint == expected.has_fingerprint, "FINGERPRINT");
  // Who is signed for (RFC 8489 §9.2.4).
  if (expected.signer.key.empty()) {
    require(!message.integrity && !message.integrity_sha256, "signed for a stranger");
  } else if (expected.signer.is_sha256) {
    const auto mac = HmacSha256Key{expected.signer.key}.mac({message.covered_sha256});
    require(!message.integrity && message.integrity_sha256 == Bytes(mac.begin(), mac.end()),
            "MESSAGE-INTEGRITY-SHA256");
  } else {
    const auto mac = HmacSha1Key{expected.signer.key}.mac({message.covered});
    require(!message.integrity_sha256 && message.integrity == Bytes(mac.begin(), mac.end()),
            "MESSAGE-INTEGRITY");
  }
  const Bytes* const nonce = message.find(0x0015);
  require((nonce != nullptr) == expected.is_challenge, "NONCE");
  require(message.has(0x0014) == expected.is_challenge, "REALM");
  require(message.has(0x8002) == expected.is_challenge, "PASSWORD-ALGORITHMS");
  if (nonce != nullptr) model_.learn_nonce(message.text(0x0015), expected.to.tuple.client, now_);

  const Bytes* const lifetime = message.find(0x000D);
  const auto its_lifetime =
      lifetime == nullptr
          ? std::nullopt
          : std::optional{seconds{static_cast<std::int64_t>(wire::number(*lifetime))}};
  require(its_lifetime == expected.lifetime, "LIFETIME");
  if (its_lifetime) lives_until_ = std::max(lives_until_, now_ + *its_lifetime);
  std::vector<Endpoint> relayed;
  std::vector<unsigned> unknown;
  for (const wire::Attribute& each : message.attributes) {
    if (each.type == 0x0016) relayed.push_back(wire::xored_address(each.value, message.id).value());
    if (each.type != 0x000A) continue;
    for (std::size_t i = 0; i + 1 < each.value.size(); i += 2) {
      unknown.push_back(static_cast<unsigned>(each.value[i] << 8 | each.value[i + 1]));
    }
  }
  require(relayed == expected.relayed, "XOR-RELAYED-ADDRESS");
  require(unknown == expected.unknown, "UNKNOWN-ATTRIBUTES");
  const Bytes* const mapped = message.find(0x0020);
  const auto its_mapped =
      mapped == nullptr ? std::nullopt : wire::xored_address(*mapped, message.id);
  require(its_mapped == expected.mapped, "XOR-MAPPED-ADDRESS");
  compare_discovery(expected, message);
  const Bytes* const address_error = message.find(0x8001);
  require((address_error != nullptr) == expected.address_error.has_value(), "ADDRESS-ERROR-CODE");
  if (address_error != nullptr) {
    require(static_cast<Family>(address_error->front()) == expected.address_error->first &&
                wire::error_code(*address_error) == expected.address_error->second,
            "what ADDRESS-ERROR-CODE says");
  }
  const Bytes* const token = message.find(0x0022);
  require((token != nullptr) == (expected.has_new_token || expected.token), "RESERVATION-TOKEN");
  if (token != nullptr) {
    const std::uint64_t number = wire::number(*token);
    require(!expected.token || *expected.token == number, "another RESERVATION-TOKEN than before");
    if (expected.has_new_token) {
      require(model_.learn_token(number, expected.to.tuple), "a RESERVATION-TOKEN twice");
      tokens.push_back(number);
    }
  }
  const Bytes* const connection = message.find(0x002A);
  require((connection != nullptr) == expected.has_new_connection, "CONNECTION-ID");
  if (connection != nullptr) {
    const auto number = static_cast<std::uint32_t>(wire::number(*connection));
    require(model_.learn_connection(number, expected.to.tuple), "a CONNECTION-ID twice");
    connection_ids.push_back(number);
  }
  const Bytes* const ticket = message.find(0x8030);
  require((ticket != nullptr) == (expected.has_new_ticket || expected.ticket), "MOBILITY-TICKET");
  if (ticket == nullptr) return;
  require(!expected.ticket || *expected.ticket == *ticket, "another MOBILITY-TICKET than before");
  if (expected.has_new_ticket) {
    require(model_.learn_ticket(*ticket, expected.to.tuple), "a MOBILITY-TICKET twice");
    tickets.push_back(*ticket);
  }
}

/// RFC 5780; none of it where it is not asked for.
void Simulation::compare_discovery(const Response& expected, const wire::Message& message) const {
  const auto address_in = [&](unsigned type) {
    const Bytes* const value = message.find(type);
    return value == nullptr ? std::nullopt : wire::plain_address(*value);
  };
  require(address_in(0x0001) == expected.unmasked, "MAPPED-ADDRESS");
  require(address_in(0x802B) == expected.origin, "RESPONSE-ORIGIN");
  require(address_in(0x802C) == expected.other, "OTHER-ADDRESS");
  const Bytes* const padding = message.find(0x0026);
  require((padding != nullptr) == expected.padding.has_value(), "PADDING");
  if (padding == nullptr) return;
  require(padding->size() == *expected.padding, "PADDING of another length");
  const bool is_blank =
      std::all_of(padding->begin(), padding->end(), [](auto b) { return b == 0; });
  require(is_blank, "PADDING with something in it");
}

void Simulation::compare_icmp(const Verdict& verdict, const Wanted& wanted) const {
  require(wanted.sent.size() == 1, "no Data indication for ICMP");
  const auto& [flow, bytes] = wanted.sent.front();
  require(flow.tuple == verdict.icmp_to.tuple, "ICMP for somebody else");
  const auto message = wire::read(bytes);
  require(message && message->message_class == wire::indication && message->method == 7,
          "no Data indication");
  const Bytes* const peer = message->find(0x0012);
  require(peer != nullptr && wire::xored_address(*peer, message->id) == verdict.icmp_about,
          "ICMP about another peer");
  require(message->has(0x8004) && !message->has(0x0013), "ICMP without ICMP, or with DATA");
}

void Simulation::compare_attempt(const Verdict& verdict, const Wanted& wanted) {
  require(wanted.sent.size() == 1, "no ConnectionAttempt");
  const auto& [flow, bytes] = wanted.sent.front();
  require(flow.tuple == verdict.attempt->to.tuple, "a ConnectionAttempt for somebody else");
  const auto message = wire::read(bytes);
  require(message && message->message_class == wire::indication && message->method == 0x00C,
          "no ConnectionAttempt");
  const Bytes* const peer = message->find(0x0012);
  require(peer != nullptr && wire::xored_address(*peer, message->id) == verdict.attempt->peer,
          "a ConnectionAttempt of another peer");
  const Bytes* const connection = message->find(0x002A);
  require(connection != nullptr && connection->size() == 4, "no CONNECTION-ID");
  const auto number = static_cast<std::uint32_t>(wire::number(*connection));
  require(model_.learn_connection(number, flow.tuple), "a CONNECTION-ID twice");
  connection_ids.push_back(number);
}

// --- payload -------------------------------------------------------------------------------------

void Simulation::compare_forward(WorkerId worker, const Verdict& verdict,
                                 const turn::Handled& handled, ByteView input) {
  const auto& forward = handled.forward;
  if (!forward) {
    const bool is_short = verdict.may_lack_bandwidth && handled.reason == Reason::dropped_bandwidth;
    if (is_short) return;
    if (verdict.to_peer) fail("nothing for the peer: " + std::string{to_string(handled.reason)});
    if (verdict.to_client)
      fail("nothing for the client: " + std::string{to_string(handled.reason)});
    require(!verdict.to_neighbour && !verdict.to_home, "nothing for another worker");
    return;
  }
  const ByteView payload = forward->payload();
  const bool is_inside =
      payload.empty() || (payload.data() >= input.data() &&
                          payload.data() + payload.size() <= input.data() + input.size());
  require(is_inside, "payload from elsewhere");
  const auto is_payload = [&](const Bytes& expected) {
    return std::equal(payload.begin(), payload.end(), expected.begin(), expected.end());
  };
  Bytes sent(forward->header().view().begin(), forward->header().view().end());
  sent.insert(sent.end(), payload.begin(), payload.end());
  sent.insert(sent.end(), forward->padding_bytes(), 0);
  trace_.note(sent);
  if (const auto* const route = forward->peer_route()) {
    const auto& expected = verdict.to_peer;
    require(expected.has_value(), "payload to a peer that may have none");  // I-4, I-15
    require(route->to == expected->to && route->via == expected->via, "payload to another peer");
    require(is_payload(expected->payload) && forward->header().empty(), "other payload");
    require(route->dont_fragment == expected->dont_fragment, "DF");
    say("  to peer " + route->to.to_string());
    return meet_peer(worker, *forward);
  }
  if (const auto* const route = forward->neighbour_route()) {
    const auto& expected = verdict.to_neighbour;
    require(expected && route->to == expected->to && route->from == expected->from,
            "payload to another neighbour");
    require(is_payload(expected->payload), "other payload");
    return at_relay(route->to.worker, route->to.relay, route->from, expected->payload);
  }
  if (forward->home_route() != nullptr) {
    require(verdict.to_home.has_value(), "somebody is a guest here who is none");
    return;
  }
  const auto& expected = verdict.to_client;
  require(expected.has_value(), "payload to a client that may have none");
  const auto* const route = forward->client_route();
  require(route->tuple == expected->flow.tuple && route->listener == expected->flow.listener &&
              route->worker == expected->flow.worker,
          "payload to another client");
  if (expected->channel) {
    const auto data = wire::read_channel_data(sent);
    require(data && data->channel == *expected->channel && data->payload == expected->payload,
            "other ChannelData");
    const bool is_padded = sent.size() % 4 == 0;
    require(is_padded || !is_stream(route->tuple.transport), "ChannelData without padding");
  } else {
    const auto message = wire::read(sent);
    require(message && message->message_class == wire::indication && message->method == 7,
            "no Data indication");
    const Bytes* const peer = message->find(0x0012);
    require(peer != nullptr && wire::xored_address(*peer, message->id) == expected->peer,
            "data of another peer");
    const Bytes* const its_payload = message->find(0x0013);
    require(its_payload != nullptr && *its_payload == expected->payload, "other data");
  }
  say("  to client " + route->tuple.client.to_string());
}

// --- ends and balances ---------------------------------------------------------------------------

void Simulation::compare_ends(WorkerId worker, const Verdict& verdict, const Wanted& wanted) {
  require(wanted.opens.size() == verdict.wanted_relays, "other relays are opened");
  for (const turn::OpenRelay& open : wanted.opens) {
    if (!model_.adopt(worker, open)) fail("must not open " + open.bind.to_string());
    say("  opens " + open.bind.to_string());
    lives_until_ = std::max(lives_until_, now_ + settings_.limits.max_lifetime);
  }
  const Names closes = names_of(wanted.closes);
  const Names expected_closes = names_at(worker, verdict.closed_relays);
  if (closes != expected_closes) {
    fail(std::to_string(closes.size()) + " relays close, the model closes " +
         std::to_string(expected_closes.size()));
  }
  const auto end_key = [](const Verdict::Ended& end) {
    return std::tuple{end.client.client, end.client.server, end.reason};
  };
  auto ended = wanted.ended;
  auto expected_ended = verdict.ended;
  const auto before = [&](const auto& a, const auto& b) { return end_key(a) < end_key(b); };
  std::sort(ended.begin(), ended.end(), before);
  std::sort(expected_ended.begin(), expected_ended.end(), before);
  const auto is_same = [](const Verdict::Ended& end, const Verdict::Ended& expected) {
    return end.client == expected.client && end.reason == expected.reason;
  };
  require(
      std::equal(ended.begin(), ended.end(), expected_ended.begin(), expected_ended.end(), is_same),
      "other allocations ended, or for another reason");
  for (std::size_t i = 0; i < ended.size(); ++i) {
    const auto& moved = expected_ended[i].moved;
    require(!moved || ended[i].moved == moved, "the record has other bytes than were relayed");
  }
  require(wanted.opened == (verdict.opened ? 1U : 0U), "an allocation was announced, or was not");
  require(tuples_of(wanted.released) == tuples_of(verdict.released), "other guests are let go");
  require(wanted.asked.size() == (verdict.parked ? 1U : 0U), "users are asked for");
  if (verdict.parked) require(wanted.asked[0].username == *verdict.parked, "another user");
  require(wanted.gone.size() == (verdict.reported_to ? 1U : 0U), "a guest's end is told");
}

/// RFC 6062: what is connected, closed and joined.
void Simulation::compare_connections(WorkerId worker, const Verdict& verdict,
                                     const Wanted& wanted) {
  require(wanted.connects.size() == (verdict.connects ? 1U : 0U), "other peers are connected to");
  if (verdict.connects) {
    const turn::ConnectToPeer& connect = wanted.connects.front();
    require(
        connect.relay == verdict.connects->via && connect.peer.endpoint() == verdict.connects->peer,
        "another peer is connected to");
    require(model_.adopt(worker, connect.connection), "a connection's name twice");
  }
  require(wanted.binds.size() == (verdict.binds ? 1U : 0U), "streams are bound");
  if (verdict.binds) {
    const turn::BindStreams& bind = wanted.binds.front();
    require(bind.client.tuple == verdict.binds->client.tuple &&
                bind.owner == verdict.binds->owner && bind.connection == verdict.binds->connection,
            "other streams are bound");
  }
  require(names_of(wanted.closed_connections) == names_at(worker, verdict.closed_connections),
          "other connections of peers close");
}

/// I-5, I-6, I-7, I-12: what is counted is what there is, always.
void Simulation::check_balance() {
  static_cast<void>(ledger_->has_reservation(0, "", now_));  // sweeps
  model_.sweep_reservations(now_);
  if (ledger_->free_ports() != model_.free_ports()) {
    fail(std::to_string(ledger_->free_ports()) + " ports are free, " +
         std::to_string(model_.free_ports()) + " should be");
  }
  require(ledger_->allocations() == model_.allocation_count(), "the ledger's count");
  for (const Login& login : logins()) {
    const auto limited = auth::parse_time_limited_username(login.username);
    for (const std::string& account :
         {login.username, limited ? std::string{limited->account} : login.username}) {
      require(ledger_->allocations_of(account) == model_.allocations_of(account),
              "the charge of a user");
    }
  }
  std::vector<std::uint64_t> counted;
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    const auto worker = WorkerId{static_cast<std::uint8_t>(i)};
    const turn::Server& one = servers_[i];
    require(one.allocation_count() == model_.allocation_count(worker), "a server's count");
    require(one.guest_count() == model_.guest_count(worker), "the guests");
    require(one.peer_connection_count() == model_.connection_count(worker),
            "the connections of peers");
    // I-9: whoever lives has a timer.
    require(one.next_deadline() || !model_.has_deadline(worker), "something lives without a timer");
    for (const auto& closed : one.counters().closed) counted.push_back(closed);
    for (const auto& opened : one.counters().opened) counted.push_back(opened);
  }
  for (std::size_t i = 0; i < counted.size() && i < counted_.size(); ++i) {
    require(counted[i] >= counted_[i], "a counter has gone down");  // I-19
  }
  counted_ = counted;
  for (const Socket& socket : sockets_) {
    const Endpoint relayed = advertised(socket.bind);
    require(ledger_->live_relays().contains(relayed, socket.transport) ==
                model_.is_live(relayed, socket.transport),
            "the list of live relays");
  }
}

}  // namespace turnpike::sim
