// RFC 8489 §9.2 and §14: the long-term credential mechanism, seen through Allocate and Refresh.
#include <algorithm>
#include <chrono>

#include "conformance/catalogue.h"

namespace turnpike::conformance {
namespace {

using client::Signature;
using client::Verified;
using stun::AttributeType;
using stun::Method;
using stun::PasswordAlgorithm;

constexpr std::uint16_t bad_request = 400;
constexpr std::uint16_t unauthenticated = 401;
constexpr std::uint16_t stale_nonce = 438;

/// A request that needs credentials and, on a fresh connection, changes nothing: 437 at best.
Reply try_signature(Flow& flow, const Signature& signature) {
  return flow.ask_for_reply(flow.build_signed(Method::refresh, {}, signature));
}

/// The signature was accepted: whatever comes now comes from behind the authentication.
void expect_accepted(const Reply& reply) {
  constexpr std::uint16_t mismatch = 437;
  expect(reply.is_success() || reply.error() == mismatch, "437: authenticated, but no allocation",
         reply.describe());
}

void expect_challenge(const Reply& reply, std::uint16_t code) {
  expect_error(reply, code);
  expect(reply.has(AttributeType::realm), "REALM in the response", "none");
  expect(reply.has(AttributeType::nonce), "NONCE in the response", "none");
}

Reply challenge(Flow& flow) {
  Reply reply = flow.request_unsigned(Method::allocate, [](stun::MessageBuilder& message) {
    constexpr std::uint8_t udp = 17;
    message.put_requested_transport(udp);
  });
  if (reply.is_success()) not_tried("the server makes allocations without credentials");
  return reply;
}

void require_offer(Flow& flow) {
  if (flow.user().offer().empty()) not_supported("the server offers no PASSWORD-ALGORITHMS");
}

// --- Challenges ----------------------------------------------------------------------------------

void no_integrity_is_401(Session& session) {
  const Reply reply = challenge(session.open());
  expect_challenge(reply, unauthenticated);
}

void challenge_has_no_names(Session& session) {
  const Reply reply = challenge(session.open());
  expect(!reply.has(AttributeType::username) && !reply.has(AttributeType::userhash) &&
             !reply.view().message_integrity() && !reply.view().message_integrity_sha256(),
         "no USERNAME, USERHASH or integrity in a 401", "one of them");
}

void algorithms_set_the_bit(Session& session) {
  const Reply reply = challenge(session.open());
  const bool has_list = reply.has(AttributeType::password_algorithms);
  const auto nonce = reply.text(AttributeType::nonce).value_or("");
  const auto features = client::nonce_features(nonce);
  const bool has_bit = features && client::has_password_algorithms_bit(*features);
  if (!has_list && !has_bit) not_supported("the server offers no PASSWORD-ALGORITHMS");
  expect(has_list == has_bit, "PASSWORD-ALGORITHMS and its feature bit, both",
         has_list ? "the list without the bit in NONCE" : "the bit in NONCE without the list");
}

void texts_are_short(Session& session) {
  constexpr std::size_t characters_max = 128;
  const Reply reply = challenge(session.open());
  for (const AttributeType type : {AttributeType::realm, AttributeType::nonce}) {
    const auto text = reply.text(type).value_or("");
    const auto characters = std::count_if(text.begin(), text.end(), [](char c) {
      return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;  // UTF-8: not a continuation
    });
    expect(static_cast<std::size_t>(characters) < characters_max,
           "fewer than 128 characters in " + std::string{stun::name_of(type)},
           std::to_string(characters));
  }
}

void nonces_differ(Session& session) {
  const Reply first = challenge(session.open());
  const Reply second = challenge(session.open());
  expect(first.text(AttributeType::nonce) != second.text(AttributeType::nonce),
         "another NONCE for another source port", "the same one");
}

void every_request_needs_credentials(Session& session) {
  Flow& flow = session.open();
  for (const Method method : {Method::refresh, Method::create_permission, Method::channel_bind}) {
    const Reply reply = flow.request_unsigned(method);
    expect_challenge(reply, unauthenticated);
  }
}

// --- Requests that are refused -------------------------------------------------------------------

void incomplete_is_400(Session& session) {
  Flow& flow = session.open();
  const Signature good = flow.user().classic_signature();
  Signature without_name = good;
  without_name.username.reset();
  Signature without_realm = good;
  without_realm.realm.reset();
  Signature without_nonce = good;
  without_nonce.nonce.reset();
  for (const Signature& signature : {without_name, without_realm, without_nonce}) {
    expect_error(try_signature(flow, signature), bad_request);
  }
}

void incomplete_gets_no_challenge(Session& session) {
  Flow& flow = session.open();
  Signature signature = flow.user().classic_signature();
  signature.nonce.reset();
  const Reply reply = try_signature(flow, signature);
  if (reply.error() != bad_request) not_tried("the server does not answer 400");
  expect(!reply.has(AttributeType::realm) && !reply.has(AttributeType::nonce),
         "400 without REALM and NONCE", "400 with them");
}

void incomplete_before_stale(Session& session) {
  Flow& flow = session.open();
  Signature signature = flow.user().classic_signature();
  signature.nonce = "of another time";
  signature.username.reset();
  expect_error(try_signature(flow, signature), bad_request);
}

void unknown_user_is_401(Session& session) {
  Flow& flow = session.open();
  Signature signature = flow.user().classic_signature();
  signature.username = "nobody-" + std::to_string(session.random().next_u64());
  expect_challenge(try_signature(flow, signature), unauthenticated);
}

void wrong_password_is_401(Session& session) {
  Flow& flow = session.open();
  Signature signature = flow.signature();
  signature.key[0] ^= 1;
  expect_challenge(try_signature(flow, signature), unauthenticated);
}

void changed_message_is_401(Session& session) {
  Flow& flow = session.open();
  Bytes request = flow.build_signed(
      Method::refresh, [](auto& message) { message.put_lifetime(seconds{700}); }, flow.signature());
  request[stun::header_bytes + 7] ^= 1;  // the last byte of LIFETIME
  expect_challenge(flow.ask_for_reply(request), unauthenticated);
}

void challenges_list_algorithms(Session& session) {
  Flow& flow = session.open();
  require_offer(flow);
  Signature signature = flow.signature();
  signature.key[0] ^= 1;
  const Reply reply = try_signature(flow, signature);
  expect(reply.has(AttributeType::password_algorithms),
         "PASSWORD-ALGORITHMS in every 401, else clients must give up", reply.describe());
}

void long_username_is_parsed(Session& session) {
  Flow& flow = session.open();
  constexpr std::size_t longest = 763;
  Signature signature = flow.user().classic_signature();
  signature.username = std::string(longest, 'u');
  expect_challenge(try_signature(flow, signature), unauthenticated);
}

// --- Nonces --------------------------------------------------------------------------------------

void stale_nonce_is_438(Session& session) {
  Flow& flow = session.open();
  Signature signature = flow.user().classic_signature();
  signature.nonce = "0123456789abcdef0123456789abcdef";
  const Reply reply = try_signature(flow, signature);
  expect_challenge(reply, stale_nonce);
}

void stale_nonce_has_a_new_one(Session& session) {
  Flow& flow = session.open();
  Signature signature = flow.user().classic_signature();
  signature.nonce = "0123456789abcdef0123456789abcdef";
  const Reply reply = try_signature(flow, signature);
  if (reply.error() != stale_nonce) not_tried("the server does not answer 438");
  signature.nonce = reply.text(AttributeType::nonce);
  expect_accepted(try_signature(flow, signature));
}

void stale_nonce_after_password(Session& session) {
  Flow& flow = session.open();
  Signature signature = flow.user().classic_signature();
  signature.nonce = "0123456789abcdef0123456789abcdef";
  signature.key[0] ^= 1;
  expect_error(try_signature(flow, signature), unauthenticated);
}

void foreign_nonce(Session& session) {
  Flow& one = session.open();
  Flow& other = session.open();
  Signature signature = other.user().classic_signature();
  signature.nonce = one.user().nonce();
  const Reply reply = try_signature(other, signature);
  // §9.2.4 forbids to choose the same nonce twice, not to accept it from elsewhere.
  expect_error(reply, std::vector<std::uint16_t>{stale_nonce, 437});
}

/// Sends requests with one and the same nonce, the allocation alive, until it is no longer taken.
void nonce_expires(Session& session) {
  const auto known = session.settings().nonce_lifetime;
  if (!known && !session.settings().slow) {
    not_tried("may wait for an hour: needs --slow, or --nonce-lifetime");
  }
  constexpr seconds margin{5};
  const seconds longest = known.value_or(seconds{3600}) + margin;
  const nanoseconds pause = std::min<nanoseconds>(nanoseconds{longest} / 60, seconds{30});
  Flow& flow = session.open();
  session.allocate(flow);
  const Signature first = flow.signature();
  const Instant start = clock_now();
  for (Reply reply = flow.request_as(Method::refresh, {}, first);;
       reply = flow.request_as(Method::refresh, {}, first)) {
    if (reply.error() == stale_nonce) break;
    expect_success(reply);
    const auto age = std::chrono::floor<seconds>(clock_now() - start);
    expect(age <= longest, "438 for a nonce of " + std::to_string(longest.count()) + " s",
           "success");
    static_cast<void>(flow.next_from_peer(clock_now() + pause));
  }
  expect_success(flow.request(Method::refresh));  // with the new nonce, in mid-allocation
}

// --- Integrity -----------------------------------------------------------------------------------

void classic_is_accepted(Session& session) {
  Flow& flow = session.open();
  const Signature signature = flow.user().classic_signature();
  const Reply reply = flow.request_as(Method::refresh, {}, signature);
  // MD5 may have been switched off: then there is no key to accept.
  if (reply.error() == unauthenticated && !flow.user().offer().empty() &&
      !flow.user().offers(PasswordAlgorithm::md5)) {
    not_supported("the server does not offer MD5");
  }
  expect_accepted(reply);
  expect(*reply.verified == Verified::good, "MESSAGE-INTEGRITY in the response",
         reply.describe() + " without it");
}

Signature with_algorithm(Flow& flow, PasswordAlgorithm algorithm) {
  require_offer(flow);
  if (!flow.user().offers(algorithm)) {
    not_supported("the server does not offer " + std::string{stun::name_of(algorithm)});
  }
  Signature signature = flow.signature();
  Bytes chosen(4, 0);
  store_be16(chosen, static_cast<std::uint16_t>(algorithm));
  signature.password_algorithm = chosen;
  signature.key = flow.user().key(algorithm);
  return signature;
}

void algorithm_is_accepted(Session& session, PasswordAlgorithm algorithm) {
  Flow& flow = session.open();
  const Reply reply = flow.request_as(Method::refresh, {}, with_algorithm(flow, algorithm));
  expect_accepted(reply);
  expect(*reply.verified == Verified::good, "MESSAGE-INTEGRITY-SHA256 in the response",
         reply.describe() + " without it");
}

void md5_is_accepted(Session& session) { algorithm_is_accepted(session, PasswordAlgorithm::md5); }
void sha256_is_accepted(Session& session) {
  algorithm_is_accepted(session, PasswordAlgorithm::sha256);
}

void altered_algorithms_are_400(Session& session) {
  Flow& flow = session.open();
  require_offer(flow);
  Signature without_list = flow.signature();
  without_list.password_algorithms.reset();
  Signature without_choice = flow.signature();
  without_choice.password_algorithm.reset();
  Signature shortened = flow.signature();
  Bytes& list = *shortened.password_algorithms;
  list = list.size() > 4 ? Bytes{list.begin() + 4, list.end()} : Bytes{0, 1, 0, 0, 0, 2, 0, 0};
  Signature unlisted = flow.signature();
  unlisted.password_algorithm = Bytes{0x7f, 0xff, 0, 0};
  for (const Signature& signature : {without_list, without_choice, shortened, unlisted}) {
    expect_error(try_signature(flow, signature), bad_request);
  }
}

void userhash_is_accepted(Session& session) {
  Flow& flow = session.open();
  if (!flow.user().wants_userhash()) not_supported("the server does not offer username anonymity");
  Signature signature = flow.signature();
  signature.username.reset();
  signature.userhash = flow.user().userhash();
  expect_accepted(flow.request_as(Method::refresh, {}, signature));
}

void short_sha256_is_refused(Session& session) {
  Flow& flow = session.open();
  require_offer(flow);
  constexpr std::size_t half = 16;
  Bytes request = flow.build_signed(Method::refresh, {}, flow.signature());
  // The first half of the right HMAC, computed over the shorter length: what truncation would be.
  const std::size_t covered = request.size() - 36;
  request.resize(covered);
  store_be16(MutableByteView{request}.subspan(2),
             static_cast<std::uint16_t>(covered + 4 + half - stun::header_bytes));
  const auto mac = HmacSha256Key{flow.signature().key}.mac({request});
  request.insert(request.end(), {0x00, 0x1c, 0x00, half});
  request.insert(request.end(), mac.begin(), mac.begin() + half);
  expect_error(flow.ask_for_reply(request), std::vector<std::uint16_t>{bad_request, 401});
}

void short_sha1_is_refused(Session& session) {
  Flow& flow = session.open();
  constexpr std::size_t half = 12;
  constexpr std::size_t integrity_bytes = 24;
  const Signature signature = flow.user().classic_signature();
  Bytes request = flow.build_signed(Method::refresh, {}, signature);
  const std::size_t covered = request.size() - integrity_bytes;
  request.resize(covered);
  store_be16(MutableByteView{request}.subspan(2),
             static_cast<std::uint16_t>(covered + 4 + half - stun::header_bytes));
  const auto mac = HmacSha1Key{signature.key}.mac({request});
  request.insert(request.end(), {0x00, 0x08, 0x00, half});
  request.insert(request.end(), mac.begin(), mac.begin() + half);
  const auto reply = flow.ask(request);
  if (!reply) return;  // a malformed attribute: silence is as good
  expect_error(*reply, std::vector<std::uint16_t>{bad_request, unauthenticated});
}

void after_integrity_is_ignored(Session& session) {
  Flow& flow = session.open();
  const Signature signature = flow.user().classic_signature();
  constexpr auto unknown_required = static_cast<AttributeType>(0x7e57);
  const Bytes request = flow.build_request(Method::refresh, [&](stun::MessageBuilder& message) {
    client::put_signature(message, signature);
    message.put_text(unknown_required, "late");
  });
  const Reply reply = flow.ask_for_reply(request);
  expect_accepted(reply);
}

void after_integrity_lifetime_is_ignored(Session& session) {
  Flow& flow = session.open();
  session.allocate(flow);
  const Signature signature = flow.signature();
  const Bytes request = flow.build_request(Method::refresh, [&](stun::MessageBuilder& message) {
    client::put_signature(message, signature);
    message.put_lifetime(seconds{0});
  });
  const Reply reply = flow.ask_for_reply(request);
  expect_success(reply);
  const auto lifetime = reply.lifetime();
  expect(lifetime && *lifetime > seconds{0}, "a lifetime that is not zero", "0: it was deleted");
}

void fingerprint_after_integrity(Session& session) {
  Flow& flow = session.open();
  const Signature signature = flow.signature();
  const Bytes request = flow.build_request(Method::refresh, [&](stun::MessageBuilder& message) {
    client::put_signature(message, signature);
    message.put_fingerprint();
  });
  expect_accepted(flow.ask_for_reply(request));
}

void errors_are_signed(Session& session) {
  Flow& flow = session.open();
  // 437 with a good signature: made after the authentication.
  const Reply mismatch = flow.request(Method::refresh);
  expect(*mismatch.verified == Verified::good, "integrity in an error behind the authentication",
         mismatch.describe() + " without it");
  const Reply bad = flow.request(Method::allocate);  // no REQUESTED-TRANSPORT
  expect(*bad.verified == Verified::good, "integrity in an error behind the authentication",
         bad.describe() + " without it");
}

void authentication_before_420(Session& session) {
  Flow& flow = session.open();
  constexpr auto unknown_required = static_cast<AttributeType>(0x7e57);
  const auto body = [](stun::MessageBuilder& message) { message.put_text(unknown_required, "x"); };
  expect_challenge(flow.request_unsigned(Method::allocate, body), unauthenticated);
}

void unknown_required_is_420_signed(Session& session) {
  Flow& flow = session.open();
  constexpr auto unknown_required = static_cast<AttributeType>(0x7e57);
  const Reply reply = flow.request(Method::allocate, [&](stun::MessageBuilder& message) {
    session.put_udp_relay(message);
    message.put_text(unknown_required, "x");
  });
  expect_error(reply, 420);
  const auto listed = reply.unknown_attributes();
  expect(std::find(listed.begin(), listed.end(), 0x7e57) != listed.end(),
         "0x7e57 in UNKNOWN-ATTRIBUTES", std::to_string(listed.size()) + " other types");
}

}  // namespace

std::vector<Check> rfc8489_authentication_checks() {
  using enum Applies;
  using enum Strength;
  return {
      {"no-integrity-is-401", "12, 27", "RFC 8489 §9.2.4",
       "A request without integrity is answered with 401, REALM and NONCE.", must, everywhere,
       no_integrity_is_401},
      {"challenge-has-no-names-and-no-integrity", "12", "RFC 8489 §9.2.4",
       "A 401 should not contain USERNAME, USERHASH or integrity.", should, everywhere,
       challenge_has_no_names},
      {"password-algorithms-come-with-their-bit", "12, 15", "RFC 8489 §9.2.4",
       "Whoever adds PASSWORD-ALGORITHMS must set the feature bit in the nonce.", must, everywhere,
       algorithms_set_the_bit},
      {"realm-and-nonce-are-short", "22", "RFC 8489 §14.9, §14.10",
       "REALM and NONCE have fewer than 128 characters.", must, everywhere, texts_are_short},
      {"nonces-differ-by-source", "13", "RFC 8489 §9.2.4",
       "The same nonce must not be chosen for two source addresses or ports.", must, everywhere,
       nonces_differ},
      {"every-turn-request-needs-credentials", "27", "RFC 8656 §5",
       "All requests of TURN are authenticated.", must, everywhere,
       every_request_needs_credentials},
      {"integrity-without-name-realm-or-nonce-is-400", "14", "RFC 8489 §9.2.4",
       "Integrity is there, but USERNAME, REALM or NONCE is missing: 400.", must, everywhere,
       incomplete_is_400},
      {"400-has-no-challenge", "14", "RFC 8489 §9.2.4",
       "That 400 should not include NONCE and REALM.", should, everywhere,
       incomplete_gets_no_challenge},
      {"400-comes-before-438", "14", "RFC 8489 §9.2.4",
       "What is missing is looked at before the nonce's age.", must, everywhere,
       incomplete_before_stale},
      {"unknown-user-is-401", "17", "RFC 8489 §9.2.4",
       "An invalid USERNAME is answered with 401, REALM and NONCE.", must, everywhere,
       unknown_user_is_401},
      {"wrong-password-is-401", "18", "RFC 8489 §9.2.4",
       "An integrity that does not match is answered with 401, REALM and NONCE.", must, everywhere,
       wrong_password_is_401},
      {"changed-message-is-401", "10, 18", "RFC 8489 §9.2.4, §14.5",
       "The integrity covers all that stands before it.", must, everywhere, changed_message_is_401},
      {"every-401-lists-the-algorithms", "17, 18", "RFC 8489 §9.2.5",
       "Without PASSWORD-ALGORITHMS a client that sees the bit must not retry.", must, everywhere,
       challenges_list_algorithms},
      {"username-of-763-bytes-is-parsed", "22", "RFC 8489 §14.3",
       "A USERNAME of up to 763 bytes can be parsed: an unknown user, 401.", must, everywhere,
       long_username_is_parsed},
      {"stale-nonce-is-438", "19", "RFC 8489 §9.2.4",
       "A nonce that is not valid is answered with 438, REALM and a new NONCE.", must, everywhere,
       stale_nonce_is_438},
      {"nonce-of-a-438-is-valid", "19, 30", "RFC 8489 §9.2.4", "The NONCE in a 438 must be valid.",
       must, everywhere, stale_nonce_has_a_new_one},
      {"nonce-expires-within-an-hour", "30", "RFC 8656 §5",
       "A nonce should expire at least hourly in the life of an allocation, which goes on with the "
       "next one.",
       should, udp, nonce_expires},
      {"wrong-password-comes-before-stale-nonce", "19", "RFC 8489 §9.2.4",
       "438 is decided after the integrity: a wrong password with a stale nonce is 401.", must,
       everywhere, stale_nonce_after_password},
      {"nonce-of-another-port", "13", "RFC 8489 §9.2.4",
       "A nonce chosen for another port is stale, or accepted: the text allows both.", must,
       everywhere, foreign_nonce},
      {"message-integrity-is-accepted", "16, 20, 21", "RFC 8489 §9.2.4",
       "Without PASSWORD-ALGORITHM(S) a request is processed as MD5 and answered with "
       "MESSAGE-INTEGRITY.",
       must, everywhere, classic_is_accepted},
      {"password-algorithm-md5-is-accepted", "16, 20, 21", "RFC 8489 §9.2.4",
       "MD5, if offered and named: answered with MESSAGE-INTEGRITY-SHA256.", must, everywhere,
       md5_is_accepted},
      {"password-algorithm-sha256-is-accepted", "16, 20, 21", "RFC 8489 §9.2.4",
       "SHA-256, if offered: answered with MESSAGE-INTEGRITY-SHA256.", must, everywhere,
       sha256_is_accepted},
      {"altered-password-algorithms-are-400", "16", "RFC 8489 §9.2.4",
       "One of the two attributes missing, another list, or a choice not in it: 400.", must,
       everywhere, altered_algorithms_are_400},
      {"userhash-is-accepted", "15, 21", "RFC 8489 §9.2.4, §14.4",
       "A server with the anonymity bit knows its users by USERHASH.", must, everywhere,
       userhash_is_accepted},
      {"truncated-message-integrity-sha256-is-refused", "11", "RFC 8489 §14.6",
       "The value must be the full 32 bytes, as TURN does not allow truncation.", must, everywhere,
       short_sha256_is_refused},
      {"truncated-message-integrity-is-refused", "10", "RFC 8489 §14.5",
       "MESSAGE-INTEGRITY has 20 bytes.", must, everywhere, short_sha1_is_refused},
      {"attributes-after-integrity-make-no-420", "9", "RFC 8489 §9",
       "Attributes behind MESSAGE-INTEGRITY are ignored, unknown ones too.", must, everywhere,
       after_integrity_is_ignored},
      {"attributes-after-integrity-have-no-effect", "9", "RFC 8489 §9",
       "Attributes behind MESSAGE-INTEGRITY are ignored.", must, everywhere,
       after_integrity_lifetime_is_ignored},
      {"fingerprint-after-integrity-is-taken", "8, 9", "RFC 8489 §14.5, §14.7",
       "FINGERPRINT stands behind the integrity.", must, everywhere, fingerprint_after_integrity},
      {"errors-after-authentication-are-signed", "20", "RFC 8489 §9.2.4",
       "Any response behind the checks must include the integrity, errors too.", must, everywhere,
       errors_are_signed},
      {"authentication-comes-before-420", "4", "RFC 8489 §6.3",
       "Unknown attributes are looked at once the authentication is done.", must, everywhere,
       authentication_before_420},
      {"unknown-required-attribute-in-allocate-is-420", "4, 20", "RFC 8489 §6.3.1",
       "420 with UNKNOWN-ATTRIBUTES behind the authentication.", must, everywhere,
       unknown_required_is_420_signed},
  };
}

}  // namespace turnpike::conformance
