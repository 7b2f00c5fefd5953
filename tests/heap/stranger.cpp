#include "heap/stranger.h"

#include "auth/credentials.h"
#include "auth/nonce.h"

namespace turnpike::test {
namespace {

using stun::AttributeType;
using stun::Class;
using stun::Method;

/// Puts what makes the message what it is.
template <class Put>
Bytes message(SeededRandom& random, Class message_class, Method method, Put&& put) {
  Bytes buffer(stun::max_own_message_bytes);
  stun::TransactionId id{};
  random.fill(id);
  stun::MessageBuilder builder{buffer, message_class, method, id};
  put(builder);
  const ByteView bytes = builder.bytes();
  return {bytes.begin(), bytes.end()};
}

template <class Put>
Bytes request(SeededRandom& random, Method method, Put&& put) {
  return message(random, Class::request, method, put);
}

void nothing(stun::MessageBuilder& /*message*/) {}

/// An Allocate of a user whose password the sender does not know.
Bytes forged(SeededRandom& random, std::string_view username, std::string_view nonce) {
  const stun::IntegrityKey guess{random.bytes(16)};
  return request(random, Method::allocate, [&](stun::MessageBuilder& m) {
    m.put_requested_transport(17)
        .put_text(AttributeType::username, username)
        .put_text(AttributeType::realm, realm)
        .put_text(AttributeType::nonce, nonce)
        .put_message_integrity(guess.sha1);
  });
}

/// The same as RFC 8489 has it, with the algorithms that the server offers.
Bytes forged_sha256(SeededRandom& random, std::string_view username, std::string_view nonce) {
  const stun::IntegrityKey guess{random.bytes(32)};
  const auto algorithms = known_users().algorithms;
  return request(random, Method::allocate, [&](stun::MessageBuilder& m) {
    m.put_requested_transport(17)
        .put_text(AttributeType::username, username)
        .put_text(AttributeType::realm, realm)
        .put_text(AttributeType::nonce, nonce)
        .put_password_algorithms(algorithms)
        .put_password_algorithm(stun::PasswordAlgorithm::sha256)
        .put_message_integrity_sha256(guess.sha256);
  });
}

/// Right password, made-up nonce of the right shape: all there is to tell is the nonce.
Bytes with_forged_nonce(SeededRandom& random, std::string_view nonce) {
  const stun::IntegrityKey key{
      auth::long_term_key(stun::PasswordAlgorithm::md5, "alice", realm, "wonderland")};
  return request(random, Method::allocate, [&](stun::MessageBuilder& m) {
    m.put_requested_transport(17)
        .put_text(AttributeType::username, "alice")
        .put_text(AttributeType::realm, realm)
        .put_text(AttributeType::nonce, nonce)
        .put_message_integrity(key.sha1);
  });
}

std::vector<Bytes> garbage(SeededRandom& random) {
  std::vector<Bytes> all;
  for (int i = 0; i < 1000; ++i) all.push_back(random.bytes(random.below(1300)));
  return all;
}

/// STUN as far as the header goes.
std::vector<Bytes> nearly_stun(SeededRandom& random) {
  std::vector<Bytes> all;
  for (int i = 0; i < 1000; ++i) {
    Bytes bytes = random.bytes(20 + 4 * random.below(100));
    store_be16(bytes, static_cast<std::uint16_t>(random.below(0x4000)));
    store_be16(MutableByteView{bytes}.subspan(2), static_cast<std::uint16_t>(bytes.size() - 20));
    store_be32(MutableByteView{bytes}.subspan(4), 0x2112a442);
    all.push_back(std::move(bytes));
  }
  return all;
}

Bytes channel_data(SeededRandom& random) {
  Bytes bytes = random.bytes(164);
  store_be16(bytes, 0x4000);
  store_be16(MutableByteView{bytes}.subspan(2), 160);
  return bytes;
}

}  // namespace

auth::CredentialSettings known_users() {
  auth::CredentialSettings settings;
  settings.realm = realm;
  settings.users = {{"alice", "wonderland"}};
  settings.secrets = {{"old", "a secret of thirty-two bytes or more"},
                      {"new", "another secret of 32 bytes, or of more"}};
  return settings;
}

std::vector<Flood> floods_of_strangers(SeededRandom& random) {
  const std::string member = auth::time_limited_username(
      forged_expiry, auth::room_member_account("p_12345678", "a-room-with-a-long-name"));
  constexpr std::string_view plain_nonce = "a nonce that nobody has issued";
  // As this server issues them at 1,000,000 s, but for the MAC: cookie, then time and MAC.
  constexpr std::string_view shaped_nonce =
      "obMatJos2gAAB"
      "QkAAAAAAAAAAAAAA";
  static_assert(shaped_nonce.size() == auth::nonce_bytes);
  const auto with_unknown = [](stun::MessageBuilder& m) { m.put_u32(AttributeType{0x7ff0}, 1); };
  const auto asks_for_udp = [](stun::MessageBuilder& m) { m.put_requested_transport(17); };
  return {
      {"garbage", garbage(random)},
      {"nearly STUN", nearly_stun(random)},
      {"ChannelData", {channel_data(random)}},
      {"Binding", {request(random, Method::binding, nothing)}},
      {"Binding with what nobody knows", {request(random, Method::binding, with_unknown)}},
      {"Binding with FINGERPRINT",
       {request(random, Method::binding, [](auto& m) { m.put_fingerprint(); })}},
      {"Allocate", {request(random, Method::allocate, asks_for_udp)}},
      {"Refresh", {request(random, Method::refresh, nothing)}},
      {"CreatePermission", {request(random, Method::create_permission, nothing)}},
      {"ChannelBind", {request(random, Method::channel_bind, nothing)}},
      {"Connect", {request(random, Method::connect, nothing)}},
      {"Send", {message(random, Class::indication, Method::send, nothing)}},
      {"an answer", {message(random, Class::success, Method::binding, nothing)}},
      {"alice without her password", {forged(random, "alice", plain_nonce)}},
      {"a stranger's name", {forged(random, "a name of more than a few letters", plain_nonce)}},
      {"a time-limited name", {forged(random, member, plain_nonce)}},
      {"a time-limited name that has run out", {forged(random, "1700000000:x", plain_nonce)}},
      {"alice by SHA-256", {forged_sha256(random, "alice", plain_nonce)}},
      {"a time-limited name by SHA-256", {forged_sha256(random, member, plain_nonce)}},
      {"a nonce of the right shape", {with_forged_nonce(random, shaped_nonce)}},
      {"a stranger's name, a nonce of the right shape", {forged(random, "bob", shaped_nonce)}},
      {"too few attributes",
       {request(random, Method::allocate,
                [](auto& m) {
                  m.put_text(AttributeType::username, "alice")
                      .put_message_integrity(HmacSha1Key{bytes_of("guess")});
                })}},
  };
}

std::vector<Flood> floods_of_guessers(SeededRandom& random, std::string_view nonce) {
  constexpr std::size_t many = 20'000;
  const WallTime expiry = forged_expiry;
  const auto of_many = [&](std::string name, auto&& guess_at) {
    Flood flood{std::move(name), {}};
    for (std::size_t i = 0; i < many; ++i) flood.messages.push_back(guess_at(std::to_string(i)));
    return flood;
  };
  return {
      {"guesses at alice", {forged(random, "alice", nonce)}},
      {"guesses at alice by SHA-256", {forged_sha256(random, "alice", nonce)}},
      {"guesses at a time-limited name",
       {forged(random, auth::time_limited_username(expiry, "alice"), nonce)}},
      of_many("guesses at names",
              [&](const std::string& number) { return forged(random, "user " + number, nonce); }),
      of_many("guesses at time-limited names",
              [&](const std::string& number) {
                return forged(random, auth::time_limited_username(expiry, number), nonce);
              }),
  };
}

Bytes bare_allocate() {
  SeededRandom random{5};
  return request(random, Method::allocate,
                 [](stun::MessageBuilder& m) { m.put_requested_transport(17); });
}

std::string nonce_of(ByteView challenge) {
  const auto view = stun::MessageView::parse(challenge);
  const auto nonce = view ? view->find(AttributeType::nonce) : std::nullopt;
  return nonce ? std::string{text_of(*nonce)} : std::string{};
}

IpAddress stranger_address(std::uint32_t network, std::size_t index) {
  return IpAddress::v4(network + static_cast<std::uint32_t>(index * 257 % 0x100000));
}

}  // namespace turnpike::test
