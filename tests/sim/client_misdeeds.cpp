// What clients do that makes no sense, and what is meant to harm (HOSTILE.md §2: T1, T2, T3).
#include <algorithm>

#include "sim/client.h"
#include "sim/simulation.h"

namespace turnpike::sim {

using stun::AttributeType;
using stun::Class;
using stun::Method;

namespace {

constexpr std::size_t room_for_a_message = 8192;

/// `message` with its length told anew.
void mend_length(Bytes& message) {
  if (message.size() < 4) return;
  store_be16(MutableByteView{message}.subspan(2), static_cast<std::uint16_t>(message.size() - 20));
}

}  // namespace

void Client::put_something(stun::MessageBuilder& message) {
  static constexpr std::array<std::uint16_t, 25> types{
      0x000C, 0x000D, 0x0012, 0x0012, 0x0013, 0x0017, 0x0018, 0x0019, 0x0019,
      0x001A, 0x0022, 0x8000, 0x8030, 0x8022, 0x0006, 0x0014, 0x0015, 0x001E,
      0x001D, 0x8002, 0x0025, 0x7fff, 0xffff, 0x0003, 0x002A};
  const auto type = static_cast<AttributeType>(types[random_.below(types.size())]);
  switch (random_.below(8)) {
    case 0:
      message.put(type, random_.bytes(random_.below(24)));
      return;
    case 1:
      message.put_channel_number({static_cast<std::uint16_t>(0x3fff + random_.below(6))});
      return;
    case 2:
      message.put_xor_address(AttributeType::xor_peer_address, some_peer());
      return;
    case 3:
      message.put_requested_transport(random_.below(4) == 0 ? 6 : 17);
      return;
    case 4: {
      // One after the other: in which order arguments are computed is the compiler's choice.
      const auto family_type = random_.below(2) == 0 ? AttributeType::requested_address_family
                                                     : AttributeType::additional_address_family;
      message.put_family(family_type, random_.below(2) == 0 ? Family::ipv4 : Family::ipv6);
      return;
    }
    case 5:
      message.put_even_port(random_.below(2) == 0);
      return;
    case 6:
      message.put_lifetime(seconds{random_.below(3) == 0 ? 0xffffffff : random_.below(2)});
      return;
    default:
      if (!world_.tokens.empty() && random_.below(2) == 0) {
        message.put_u64(AttributeType::reservation_token,
                        world_.tokens[random_.below(world_.tokens.size())]);
      } else if (!world_.tickets.empty()) {
        message.put(AttributeType::mobility_ticket,
                    world_.tickets[random_.below(world_.tickets.size())]);
      }
      return;
  }
}

/// A message of any method with anything in it, signed or not, or signed in some wrong way.
void Client::be_reckless() {
  static constexpr std::array<std::uint16_t, 16> methods{0x003, 0x003, 0x003, 0x004, 0x004, 0x004,
                                                         0x008, 0x008, 0x009, 0x009, 0x001, 0x006,
                                                         0x00A, 0x00B, 0x007, 0x123};
  const auto method = static_cast<Method>(methods[random_.below(methods.size())]);
  const Class usual = method == Method::send ? Class::indication : Class::request;
  const auto message_class = random_.below(8) == 0 ? static_cast<Class>(random_.below(4)) : usual;
  Bytes buffer(room_for_a_message);
  stun::MessageBuilder message{buffer, message_class, method, new_id()};
  const std::uint64_t count = random_.below(5);
  for (std::uint64_t i = 0; i < count; ++i) put_something(message);
  const std::string nonce = nonce_;
  const Algorithm algorithm = algorithm_;
  const std::size_t login = login_;
  if (random_.below(10) == 0) nonce_ = "obMatJos2gAAB0123456789abcdef";
  if (random_.below(10) == 0) algorithm_ = static_cast<Algorithm>(random_.below(3));
  if (random_.below(10) == 0) login_ = some_login();
  if (random_.below(10) == 0) with_userhash_ = !with_userhash_;
  if (!nonce.empty() && random_.below(6) != 0) sign(message);
  if (random_.below(10) == 0) put_something(message);  // not covered: it must not count
  nonce_ = nonce;
  algorithm_ = algorithm;
  login_ = login;
  if (random_.below(4) == 0) message.put_fingerprint();
  const ByteView bytes = message.bytes();
  transmit(Bytes(bytes.begin(), bytes.end()));
  if (random_.below(3) == 0) transmit(Bytes(bytes.begin(), bytes.end()));
}

/// What it has overheard, again, changed or not, from here or in the sender's name; and what makes
/// servers answer strangers.
void Client::be_malicious() {
  const auto& overheard = world_.overheard();
  if (overheard.empty()) return allocate_plainly();
  auto [flow, bytes] = overheard[random_.below(overheard.size())];
  const auto may_be = [&](const turn::ClientFlow& victim) {
    // Nobody writes into somebody else's connection.
    const bool is_possible = victim.tuple.transport == Transport::udp;
    // The answers would be events of the victim's.
    return is_possible && !(is_intruder_ && world_.is_of_another(victim, *this));
  };
  const auto spoof = [&](const turn::ClientFlow& victim, const Bytes& datagram) {
    if (may_be(victim)) world_.transmit(victim, datagram);
  };
  switch (random_.below(10)) {
    case 0:
      return spoof(flow, bytes);
    case 1:
      return transmit(bytes);
    case 2:
    case 3: {
      for (std::uint64_t i = random_.below(4); i < 4 && !bytes.empty(); ++i) {
        const std::size_t where = random_.below(bytes.size());
        bytes[where] = static_cast<std::uint8_t>(random_.next());
      }
      if (random_.below(2) == 0) bytes.resize(random_.below(bytes.size() + 1));
      if (random_.below(2) == 0) bytes.resize(bytes.size() + 4 * random_.below(3));
      if (random_.below(2) == 0) mend_length(bytes);
      return random_.below(2) == 0 ? spoof(flow, bytes) : transmit(bytes);
    }
    case 4: {  // its own request in a victim's name
      if (is_intruder_) return;
      std::swap(flow_, flow);
      allocate_plainly();
      transactions_.clear();
      std::swap(flow_, flow);
      return;
    }
    case 5: {  // somebody whom no server may answer
      turn::ClientFlow victim = flow_;
      victim.tuple.transport = Transport::udp;
      if (random_.below(2) == 0) {
        victim.tuple.client.port = 53;
      } else {
        victim.tuple.client.address = ip("2002:c000:201::7");
      }
      victim.worker = world_.worker_of(victim.tuple.client);
      return spoof(victim, bytes);
    }
    case 6: {  // a relay of ours
      turn::ClientFlow victim = flow_;
      victim.tuple.transport = Transport::udp;
      victim.tuple.client = some_peer();
      victim.worker = world_.worker_of(victim.tuple.client);
      return spoof(victim, bytes);
    }
    case 7: {  // what a peer may not do
      const auto& others = world_.clients();
      const Client& other = *others[random_.below(others.size())];
      if (other.relayed_.empty() || is_intruder_) return;
      const Endpoint relayed = other.relayed_.front();
      const Endpoint peer = some_peer();
      if (peer.family() != relayed.family()) return;
      return world_.from_peer(peer, relayed, random_.bytes(random_.below(60)));
    }
    case 8:
      return guess();
    default:
      for (int i = 0; i < 10; ++i) {
        nonce_.clear();
        allocate_plainly();
      }
      return;
  }
}

/// One password after the other for a name that it knows, with its nonce or with a bad one.
void Client::guess() {
  if (nonce_.empty()) return allocate_plainly();
  const std::size_t login = login_;
  const std::string nonce = nonce_;
  const auto& all = logins();
  const auto wrong = std::find_if(all.begin(), all.end(), [&](const Login& each) {
    return each.username == all[login].username && each.password != all[login].password;
  });
  if (wrong != all.end()) login_ = static_cast<std::size_t>(wrong - all.begin());
  if (is_intruder_) login_ = some_login();  // others' names too, but never a right password
  if (random_.below(3) == 0) nonce_.back() = nonce_.back() == 'A' ? 'B' : 'A';
  for (int i = 0; i < 12; ++i) allocate_plainly();
  transactions_.clear();
  login_ = login;
  nonce_ = nonce;
}

}  // namespace turnpike::sim
