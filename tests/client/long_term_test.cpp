#include "client/long_term.h"

#include "catch.h"
#include "stun/integrity.h"

using namespace turnpike;
using client::LongTermClient;
using client::Signature;
using client::Verified;
using stun::AttributeType;
using stun::PasswordAlgorithm;
using Step = LongTermClient::Step;

namespace {

constexpr stun::TransactionId an_id{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
constexpr std::string_view plain_nonce = "f//499k954d6OL34oL9FSTvy64sA";
constexpr std::string_view algorithms_nonce = "obMatJos2gAABrest";  // both ends (docs/adr/0005)
constexpr std::string_view anonymous_nonce = "obMatJos2wAADrest";

/// A message in storage of its own.
class Message {
 public:
  template <class Fill>
  Message(stun::Class message_class, Fill fill) {
    stun::MessageBuilder builder{buffer_, message_class, stun::Method::refresh, an_id};
    fill(builder);
    size_ = builder.bytes().size();
  }
  [[nodiscard]] stun::MessageView view() const {
    return *stun::MessageView::parse(ByteView{buffer_}.first(size_));
  }

 private:
  std::array<std::uint8_t, 2048> buffer_{};
  std::size_t size_ = 0;
};

Message challenge(stun::ErrorCode code, std::string_view nonce,
                  const std::vector<PasswordAlgorithm>& algorithms = {}) {
  return {stun::Class::error, [&](stun::MessageBuilder& message) {
            message.put_error_code(code)
                .put_text(AttributeType::realm, "example.org")
                .put_text(AttributeType::nonce, nonce);
            if (!algorithms.empty()) message.put_password_algorithms(algorithms);
          }};
}

Message request_with(const Signature& signature) {
  return {stun::Class::request,
          [&](stun::MessageBuilder& message) { client::put_signature(message, signature); }};
}

LongTermClient challenged(std::string_view nonce,
                          const std::vector<PasswordAlgorithm>& algorithms = {}) {
  LongTermClient client{"user", "TheMatrIX"};
  const auto message = challenge(stun::ErrorCode::unauthenticated, nonce, algorithms);
  REQUIRE(client.on_error(message.view(), false) == Step::send_again);
  return client;
}

}  // namespace

TEST_CASE("a client knows nothing before it is challenged", "[client][rfc8489-9.2.3]") {
  CHECK_FALSE(LongTermClient("user", "pass").has_challenge());
}

TEST_CASE("a server without algorithms gets MD5 and MESSAGE-INTEGRITY", "[client][c16]") {
  const LongTermClient client = challenged(plain_nonce);
  const Message request = request_with(client.signature());
  const stun::IntegrityKey key{
      auth::long_term_key(PasswordAlgorithm::md5, "user", "example.org", "TheMatrIX")};
  CHECK(stun::verify_message_integrity(request.view(), key.sha1));
  CHECK_FALSE(request.view().message_integrity_sha256());
  CHECK_FALSE(request.view().has(AttributeType::password_algorithm));
  CHECK(text_of(*request.view().find(AttributeType::username)) == "user");
  CHECK(text_of(*request.view().find(AttributeType::nonce)) == plain_nonce);
}

TEST_CASE("of offered algorithms the first one known is taken, and the list repeated",
          "[client][c16]") {
  const LongTermClient client = challenged(
      algorithms_nonce,
      {static_cast<PasswordAlgorithm>(0x7777), PasswordAlgorithm::sha256, PasswordAlgorithm::md5});
  const Message request = request_with(client.signature());
  const stun::IntegrityKey key{
      auth::long_term_key(PasswordAlgorithm::sha256, "user", "example.org", "TheMatrIX")};
  CHECK(stun::verify_message_integrity_sha256(request.view(), key.sha256));
  CHECK_FALSE(request.view().message_integrity());
  CHECK(request.view().find(AttributeType::password_algorithms)->size() == 12);
  CHECK(load_be16(*request.view().find(AttributeType::password_algorithm)) == 2);
  CHECK(client.offers(PasswordAlgorithm::md5));
}

TEST_CASE("a client of RFC 5389 ignores what is offered", "[client][c16]") {
  const LongTermClient client = challenged(algorithms_nonce, {PasswordAlgorithm::sha256});
  const Message request = request_with(client.classic_signature());
  CHECK(request.view().message_integrity());
  CHECK_FALSE(request.view().has(AttributeType::password_algorithms));
}

TEST_CASE("with the anonymity bit the name is hidden in USERHASH", "[client][rfc8489-9.2.5]") {
  const LongTermClient client =
      challenged(anonymous_nonce, {PasswordAlgorithm::md5, PasswordAlgorithm::sha256});
  const Message request = request_with(client.signature());
  CHECK_FALSE(request.view().has(AttributeType::username));
  const auto hash = auth::userhash("user", "example.org");
  const auto sent = *request.view().find(AttributeType::userhash);
  CHECK(std::equal(hash.begin(), hash.end(), sent.begin(), sent.end()));
}

TEST_CASE("a 401 to a signed request is a refusal, a 438 a new nonce", "[client][rfc8489-9.2.5]") {
  LongTermClient client = challenged(plain_nonce);
  CHECK(client.on_error(challenge(stun::ErrorCode::unauthenticated, plain_nonce).view(), true) ==
        Step::refused);
  CHECK(client.on_error(challenge(stun::ErrorCode::stale_nonce, "another").view(), true) ==
        Step::send_again);
  CHECK(client.nonce() == "another");
}

TEST_CASE("other errors are no challenges", "[client]") {
  LongTermClient client = challenged(plain_nonce);
  CHECK(client.on_error(challenge(stun::ErrorCode::bad_request, "x").view(), true) ==
        Step::not_a_challenge);
  CHECK(client.nonce() == plain_nonce);
}

TEST_CASE("whoever takes the list of algorithms out is not believed", "[client][rfc8489-9.2.1]") {
  LongTermClient client{"user", "pass"};
  const auto bid_down = challenge(stun::ErrorCode::unauthenticated, algorithms_nonce);
  CHECK(client.on_error(bid_down.view(), false) == Step::unusable);
  const auto unknown = challenge(stun::ErrorCode::unauthenticated, algorithms_nonce,
                                 {static_cast<PasswordAlgorithm>(0x7777)});
  CHECK(client.on_error(unknown.view(), false) == Step::unusable);
  const Message bare{stun::Class::error, [](stun::MessageBuilder& message) {
                       message.put_error_code(stun::ErrorCode::unauthenticated);
                     }};
  CHECK(client.on_error(bare.view(), false) == Step::unusable);
  CHECK_FALSE(client.has_challenge());
}

TEST_CASE("a challenge longer than one may be teaches nothing", "[client][rfc8489-14.9]") {
  const auto challenged_with = [](std::size_t realm, std::size_t nonce, std::size_t list) {
    Message message{stun::Class::error, [&](stun::MessageBuilder& builder) {
                      builder.put_error_code(stun::ErrorCode::unauthenticated)
                          .put_text(AttributeType::realm, std::string(realm, 'r'))
                          .put_text(AttributeType::nonce, std::string(nonce, 'n'));
                      std::vector<std::uint8_t> offer(list, 0);  // an algorithm and its parameters
                      store_be16(offer, static_cast<std::uint16_t>(PasswordAlgorithm::md5));
                      store_be16(MutableByteView{offer}.subspan(2),
                                 static_cast<std::uint16_t>(list - 4));
                      builder.put(AttributeType::password_algorithms, offer);
                    }};
    return LongTermClient{"user", "pass"}.on_error(message.view(), false);
  };
  CHECK(challenged_with(763, 763, 256) == Step::send_again);
  CHECK(challenged_with(764, 10, 4) == Step::unusable);
  CHECK(challenged_with(10, 764, 4) == Step::unusable);
  CHECK(challenged_with(10, 10, 260) == Step::unusable);
}

TEST_CASE("a response is held against the key and the kind of its request", "[client][c20]") {
  const LongTermClient client = challenged(algorithms_nonce, {PasswordAlgorithm::sha256});
  const Signature request = client.signature();
  const stun::IntegrityKey key{request.key};
  const stun::IntegrityKey other{auth::LongTermKey(32, 7)};
  const auto success = [](auto sign) { return Message{stun::Class::success, sign}; };

  CHECK(client::verify(success([](stun::MessageBuilder&) {}).view(), request) == Verified::absent);
  CHECK(client::verify(success([&](auto& m) { m.put_message_integrity_sha256(key.sha256); }).view(),
                       request) == Verified::good);
  CHECK(
      client::verify(success([&](auto& m) { m.put_message_integrity_sha256(other.sha256); }).view(),
                     request) == Verified::wrong);
  CHECK(client::verify(success([&](auto& m) { m.put_message_integrity(key.sha1); }).view(),
                       request) == Verified::of_kind);
  CHECK(client::verify(success([&](auto& m) { m.put_message_integrity(other.sha1); }).view(),
                       request) == Verified::wrong);
}

TEST_CASE("the feature bits are read from either end", "[client][c15]") {
  CHECK(client::nonce_features("obMatJos2gAAArest") == 0x800000U);
  CHECK(client::nonce_features("obMatJos2AAABrest") == 0x000001U);
  CHECK(client::has_password_algorithms_bit(0x800000));
  CHECK(client::has_password_algorithms_bit(0x000001));
  CHECK(client::has_username_anonymity_bit(0x400000));
  CHECK(client::has_username_anonymity_bit(0x000002));
  CHECK_FALSE(client::has_username_anonymity_bit(0x800001));
  CHECK_FALSE(client::nonce_features("plain nonce"));
  CHECK_FALSE(client::nonce_features("obMatJos2gA"));
  CHECK_FALSE(client::nonce_features("obMatJos2!!!!"));
}
