#include "client/binding.h"

#include <vector>

#include "catch.h"
#include "stun/builder.h"

using namespace turnpike;
using client::BindingError;

namespace {

constexpr stun::TransactionId an_id{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
const Endpoint us = *Endpoint::parse("198.51.100.7:50312");
const Endpoint other = *Endpoint::parse("[2001:db8::7]:4000");

/// A Binding message of `message_class`, filled by `fill`.
template <class Fill>
std::vector<std::uint8_t> message(stun::Class message_class, Fill fill) {
  std::vector<std::uint8_t> buffer(512);
  stun::MessageBuilder builder{buffer, message_class, stun::Method::binding, an_id};
  fill(builder);
  return {builder.bytes().begin(), builder.bytes().end()};
}

}  // namespace

TEST_CASE("a Binding request carries its id and a FINGERPRINT", "[client]") {
  const auto bytes = client::binding_request(an_id);
  const auto request = stun::MessageView::parse(bytes);
  REQUIRE(request);
  CHECK(request->message_class() == stun::Class::request);
  CHECK(request->method() == stun::Method::binding);
  CHECK(request->transaction_id() == an_id);
  CHECK(request->has_fingerprint());
}

TEST_CASE("the reflexive address is XOR-MAPPED-ADDRESS, else MAPPED-ADDRESS",
          "[client][rfc8489-14]") {
  const auto both = message(stun::Class::success, [](stun::MessageBuilder& builder) {
    builder.put_address(stun::AttributeType::mapped_address, other);
    builder.put_xor_address(stun::AttributeType::xor_mapped_address, us);
    builder.put_fingerprint();
  });
  const auto answer = client::parse_binding_answer(both, an_id);
  REQUIRE(answer);
  CHECK(std::get<client::ReflexiveAddress>(*answer).endpoint == us);

  const auto old = message(stun::Class::success, [](stun::MessageBuilder& builder) {
    builder.put_address(stun::AttributeType::mapped_address, other);
  });
  const auto old_answer = client::parse_binding_answer(old, an_id);
  REQUIRE(old_answer);
  CHECK(std::get<client::ReflexiveAddress>(*old_answer).endpoint == other);
}

TEST_CASE("an error response is a refusal with its code", "[client]") {
  const auto bytes = message(stun::Class::error, [](stun::MessageBuilder& builder) {
    builder.put_error_code(stun::ErrorCode::server_error);
  });
  const auto answer = client::parse_binding_answer(bytes, an_id);
  REQUIRE(answer);
  CHECK(std::get<client::BindingRefused>(*answer).code == 500);
}

TEST_CASE("what is no answer to the request is told apart", "[client]") {
  const auto put_us = [](stun::MessageBuilder& builder) {
    builder.put_xor_address(stun::AttributeType::xor_mapped_address, us);
  };
  const auto error_of = [](ByteView bytes, const stun::TransactionId& id) {
    const auto answer = client::parse_binding_answer(bytes, id);
    REQUIRE_FALSE(answer);
    return answer.error();
  };
  const auto good = message(stun::Class::success, put_us);
  stun::TransactionId other_id = an_id;
  other_id.front() ^= 1;
  CHECK(error_of(good, other_id) == BindingError::not_an_answer);
  CHECK(error_of(message(stun::Class::request, put_us), an_id) == BindingError::not_an_answer);
  CHECK(error_of(message(stun::Class::success, [](stun::MessageBuilder&) {}), an_id) ==
        BindingError::no_address);
  CHECK(error_of(message(stun::Class::error, [](stun::MessageBuilder&) {}), an_id) ==
        BindingError::no_address);
  const auto odd = message(stun::Class::success, [&](stun::MessageBuilder& builder) {
    put_us(builder);
    builder.put_u32(static_cast<stun::AttributeType>(0x7fff), 1);
  });
  CHECK(error_of(odd, an_id) == BindingError::not_understood);
  for (std::size_t size = 0; size < good.size(); ++size) {
    CAPTURE(size);
    CHECK(error_of(ByteView{good}.first(size), an_id) == BindingError::not_stun);
  }
}
