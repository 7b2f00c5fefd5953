#include "conformance/reply.h"

namespace turnpike::conformance {

using stun::AttributeType;

std::optional<Reply> Reply::parse(Received received) {
  const auto view = stun::MessageView::parse(received.bytes);
  if (!view) return std::nullopt;
  return Reply{received.from, std::move(received.bytes), *view};  // moving keeps the storage
}

std::uint16_t Reply::error() const {
  if (view_.message_class() != stun::Class::error) return 0;
  const auto value = view_.find(AttributeType::error_code);
  const auto code = value ? stun::decode_error_code(*value) : std::nullopt;
  return code ? code->code : std::uint16_t{0};
}

std::optional<Endpoint> Reply::xor_address(AttributeType type) const {
  const auto value = view_.find(type);
  return value ? stun::decode_xor_address(*value, view_.transaction_id()) : std::nullopt;
}

std::vector<Endpoint> Reply::xor_addresses(AttributeType type) const {
  std::vector<Endpoint> found;
  for (const stun::AttributeView attribute : view_.attributes()) {
    if (attribute.type != type) continue;
    if (const auto address = stun::decode_xor_address(attribute.value, view_.transaction_id())) {
      found.push_back(*address);
    }
  }
  return found;
}

std::optional<seconds> Reply::lifetime() const {
  const auto value = view_.find(AttributeType::lifetime);
  return value ? stun::decode_lifetime(*value) : std::nullopt;
}

std::optional<std::string> Reply::text(AttributeType type) const {
  const auto value = view_.find(type);
  if (!value) return std::nullopt;
  return std::string{text_of(*value)};
}

std::vector<std::uint16_t> Reply::unknown_attributes() const {
  std::vector<std::uint16_t> types;
  auto value = view_.find(AttributeType::unknown_attributes).value_or(ByteView{});
  for (; value.size() >= 2; value = value.subspan(2)) types.push_back(load_be16(value));
  return types;
}

bool Reply::padding_is_zero() const {
  ByteView rest = ByteView{bytes_}.subspan(stun::header_bytes);
  while (rest.size() >= 4) {
    const std::size_t size = load_be16(rest.subspan(2));
    const ByteView padding = rest.subspan(4 + size, padded_to_4(size) - size);
    for (const std::uint8_t byte : padding) {
      if (byte != 0) return false;
    }
    rest = rest.subspan(4 + padded_to_4(size));
  }
  return true;
}

std::string Reply::describe() const {
  std::string text{stun::name_of(view_.method())};
  switch (view_.message_class()) {
    case stun::Class::request:
      return text + " request";
    case stun::Class::indication:
      return text + " indication";
    case stun::Class::success:
      return text + " success";
    case stun::Class::error:
      break;
  }
  const auto phrase = stun::reason_phrase(static_cast<stun::ErrorCode>(error()));
  return text + " error " + std::to_string(error()) + " (" + std::string{phrase} + ")";
}

}  // namespace turnpike::conformance
