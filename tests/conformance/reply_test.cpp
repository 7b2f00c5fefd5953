#include "conformance/reply.h"

#include "catch.h"
#include "conformance/fake_server.h"

using namespace turnpike;
using namespace turnpike::conformance;
using stun::AttributeType;

namespace {

template <class Fill>
Reply reply_of(stun::Class message_class, Fill fill) {
  Bytes buffer(512);
  stun::MessageBuilder message{buffer, message_class, stun::Method::allocate, {}};
  fill(message);
  buffer.resize(message.bytes().size());
  auto reply = Reply::parse({{}, std::move(buffer)});
  REQUIRE(reply);
  return std::move(*reply);
}

}  // namespace

TEST_CASE("a reply says what it is", "[conformance]") {
  CHECK(reply_of(stun::Class::success, [](auto&) {}).describe() == "Allocate success");
  const Reply error = reply_of(stun::Class::error, [](auto& message) {
    message.put_error_code(stun::ErrorCode::allocation_mismatch);
  });
  CHECK(error.error() == 437);
  CHECK(error.describe() == "Allocate error 437 (Allocation Mismatch)");
}

TEST_CASE("all addresses of a kind are read", "[conformance]") {
  const Endpoint one{*IpAddress::parse("192.0.2.1"), 50000};
  const Endpoint other{*IpAddress::parse("2001:db8::1"), 50001};
  const Reply reply = reply_of(stun::Class::success, [&](auto& message) {
    message.put_xor_address(AttributeType::xor_relayed_address, one)
        .put_xor_address(AttributeType::xor_relayed_address, other);
  });
  CHECK(reply.xor_addresses(AttributeType::xor_relayed_address) ==
        std::vector<Endpoint>{one, other});
}

TEST_CASE("padding that is not zero is seen", "[conformance][c3]") {
  Bytes buffer(64);
  stun::MessageBuilder message{buffer, stun::Class::success, stun::Method::allocate, {}};
  message.put_text(AttributeType::realm, "a");
  buffer.resize(message.bytes().size());
  CHECK(Reply::parse({{}, buffer})->padding_is_zero());
  buffer.back() = 1;
  CHECK_FALSE(Reply::parse({{}, buffer})->padding_is_zero());
}

TEST_CASE("unknown attributes are listed", "[conformance][c4]") {
  const Reply reply = reply_of(stun::Class::error, [](auto& message) {
    const std::array<AttributeType, 1> types{static_cast<AttributeType>(0x7e57)};
    message.put_error_code(stun::ErrorCode::unknown_attribute).put_unknown_attributes(types);
  });
  CHECK(reply.unknown_attributes() == std::vector<std::uint16_t>{0x7e57});
}
