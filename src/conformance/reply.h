// A message that came from the server, owned and taken apart for checks.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/long_term.h"
#include "conformance/socket.h"
#include "stun/attributes.h"
#include "stun/message.h"

namespace turnpike::conformance {

/// A STUN message. Movable only: the view points into the bytes.
class Reply {
 public:
  /// Nothing when the bytes are no valid STUN message; a wrong FINGERPRINT is one reason.
  [[nodiscard]] static std::optional<Reply> parse(Received received);
  Reply(Reply&&) = default;
  Reply& operator=(Reply&&) = default;

  [[nodiscard]] const stun::MessageView& view() const { return view_; }
  [[nodiscard]] ByteView bytes() const { return bytes_; }
  [[nodiscard]] const Endpoint& from() const { return from_; }
  [[nodiscard]] bool is_success() const { return view_.message_class() == stun::Class::success; }
  [[nodiscard]] bool has(stun::AttributeType type) const { return view_.has(type); }
  /// The code of an error response; 0 without one.
  [[nodiscard]] std::uint16_t error() const;

  [[nodiscard]] std::optional<Endpoint> xor_address(stun::AttributeType type) const;
  /// All addresses of one type, in order.
  [[nodiscard]] std::vector<Endpoint> xor_addresses(stun::AttributeType type) const;
  [[nodiscard]] std::optional<seconds> lifetime() const;
  [[nodiscard]] std::optional<std::string> text(stun::AttributeType type) const;
  /// The types in UNKNOWN-ATTRIBUTES.
  [[nodiscard]] std::vector<std::uint16_t> unknown_attributes() const;
  /// True when all padding between attributes is zero.
  [[nodiscard]] bool padding_is_zero() const;

  /// "Allocate success", "Allocate error 437 (Allocation Mismatch)"
  [[nodiscard]] std::string describe() const;

  /// How its integrity compares with the request; set by Flow::request().
  std::optional<client::Verified> verified;

 private:
  Reply(Endpoint from, Bytes bytes, stun::MessageView view)
      : from_(from), bytes_(std::move(bytes)), view_(view) {}

  Endpoint from_;
  Bytes bytes_;
  stun::MessageView view_;
};

}  // namespace turnpike::conformance
