// A Binding request and what its answer says (RFC 8489 §3, §12): the address a client is seen from.
#pragma once

#include <array>
#include <string>
#include <variant>

#include "base/bytes.h"
#include "base/endpoint.h"
#include "base/result.h"
#include "stun/message.h"

namespace turnpike::client {

/// A Binding request with FINGERPRINT: header and one attribute.
using BindingRequest = std::array<std::uint8_t, stun::header_bytes + 8>;
[[nodiscard]] BindingRequest binding_request(const stun::TransactionId& id);

/// The success response: the client's transport address as the server sees it.
struct ReflexiveAddress {
  Endpoint endpoint;
};

/// An error response.
struct BindingRefused {
  std::uint16_t code;
  std::string reason;  ///< from the network, not cleaned
};

using BindingAnswer = std::variant<ReflexiveAddress, BindingRefused>;

/// Why a datagram is no answer; it is to be ignored (RFC 8489 §6.3.3, §6.3.4). After
/// `not_understood` and `no_address` the transaction has failed: the server will not say it better.
enum class BindingError : std::uint8_t {
  not_stun,        ///< no STUN message, or a broken one
  not_an_answer,   ///< another transaction, or no Binding response
  not_understood,  ///< has an attribute that must be understood and is not
  no_address,      ///< a success response without a usable address or an error without a code
};

/// Reads the answer to the request `id`. XOR-MAPPED-ADDRESS counts before MAPPED-ADDRESS, which
/// only servers of RFC 3489 send alone.
[[nodiscard]] Result<BindingAnswer, BindingError> parse_binding_answer(
    ByteView datagram, const stun::TransactionId& id);

}  // namespace turnpike::client
