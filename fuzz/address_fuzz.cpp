// Addresses as text and on the wire: whatever is read reads the same when written again.

#include <cstdint>
#include <string_view>

#include "base/endpoint.h"
#include "stun/attributes.h"
#include "stun/builder.h"

namespace {

using namespace turnpike;
using namespace turnpike::stun;

void check_address_text(std::string_view text) {
  const auto address = IpAddress::parse(text);
  if (!address) return;
  TURNPIKE_ASSERT(IpAddress::parse(address->to_string()) == address);
  TURNPIKE_ASSERT(IpAddress::from_bytes(address->family(), address->bytes()) == *address);
  TURNPIKE_ASSERT(text.size() <= 45);  // nothing longer is an address
  TURNPIKE_ASSERT(text.find_first_not_of("0123456789abcdefABCDEF.:") == std::string_view::npos);
  const IpAddress plain = unmapped(*address);
  TURNPIKE_ASSERT(unmapped(plain) == plain);
  TURNPIKE_ASSERT(plain == *address ||
                  (plain.family() == Family::ipv4 && address->family() == Family::ipv6));
  // Whatever is an address is also a prefix of one host, and no endpoint.
  TURNPIKE_ASSERT(IpPrefix::parse(text) == IpPrefix::host(*address));
  TURNPIKE_ASSERT(!Endpoint::parse(text));
}

void check_prefix_text(std::string_view text) {
  const auto prefix = IpPrefix::parse(text);
  if (!prefix) return;
  TURNPIKE_ASSERT(IpPrefix::parse(prefix->to_string()) == prefix);
  TURNPIKE_ASSERT(prefix->contains(prefix->address()));
  TURNPIKE_ASSERT(prefix->length() <= prefix->address().bytes().size() * 8);
  if (prefix->length() == 0) return;
  // The last bit of the prefix decides: flipped, the address lies outside.
  std::array<std::uint8_t, 16> other{};
  const std::size_t size = prefix->address().bytes().size();
  copy_bytes(prefix->address().bytes(), other);
  const unsigned bit = prefix->length() - 1;
  other[bit / 8] = static_cast<std::uint8_t>(other[bit / 8] ^ (0x80U >> (bit % 8)));
  TURNPIKE_ASSERT(!prefix->contains(
      IpAddress::from_bytes(prefix->address().family(), ByteView{other}.first(size))));
}

void check_endpoint_text(std::string_view text) {
  const auto endpoint = Endpoint::parse(text);
  if (!endpoint) return;
  TURNPIKE_ASSERT(Endpoint::parse(endpoint->to_string()) == endpoint);
  TURNPIKE_ASSERT(!IpAddress::parse(text));
  TURNPIKE_ASSERT(!IpPrefix::parse(text));
}

void check_wire(ByteView value, const TransactionId& id) {
  const auto plain = decode_address(value);
  const auto xored = decode_xor_address(value, id);
  TURNPIKE_ASSERT(plain.has_value() == xored.has_value());
  if (!plain) return;
  TURNPIKE_ASSERT(plain->family() == xored->family());

  std::array<std::uint8_t, 80> buffer{};
  MessageBuilder builder{buffer, Class::success, Method::binding, id};
  builder.put_address(AttributeType::mapped_address, *plain);
  const std::size_t first_bytes = builder.bytes().size();
  builder.put_xor_address(AttributeType::xor_mapped_address, *xored);
  // Both attributes hold what was read, the reserved first byte apart; XORing twice is nothing.
  const ByteView written = builder.bytes();
  const auto ends_like_value = [&](ByteView attribute) {
    const ByteView back = attribute.last(value.size());
    return back[0] == 0 && std::equal(back.begin() + 1, back.end(), value.begin() + 1);
  };
  TURNPIKE_ASSERT(ends_like_value(written.first(first_bytes)));
  TURNPIKE_ASSERT(ends_like_value(written));
  check_address_text(plain->address.to_string());
  check_endpoint_text(xored->to_string());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const ByteView input{bytes, size};
  const std::string_view text = text_of(input);
  check_address_text(text);
  check_prefix_text(text);
  check_endpoint_text(text);
  TransactionId id{};
  if (size >= id.size()) {
    copy_bytes(input.first(id.size()), id);
    check_wire(input.subspan(id.size()), id);
  }
  check_wire(input, id);
  return 0;
}
