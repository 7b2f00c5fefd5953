// NAT behaviour discovery (RFC 5780), the server's side: Binding requests that ask to be answered
// from another address, from another port, to another port, or at length.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "stun/message.h"
#include "turn/effects.h"

namespace turnpike::turn {

/// One of the transport addresses that answers may leave from.
struct DiscoveryOrigin {
  ListenerId listener{};  ///< the UDP socket that datagrams to `local` come in on
  Endpoint local;         ///< as the host knows it
  Endpoint advertised;    ///< as clients see it; the same unless there is a 1:1 NAT between
};

/// The four origins of one family, in the order A1:P1, A1:P2, A2:P1, A2:P2.
using DiscoverySquare = std::array<DiscoveryOrigin, 4>;

/// The largest PADDING in an answer: the MTU of nearly every link there is, so that the answer must
/// be fragmented (RFC 5780 §7.6).
inline constexpr std::size_t max_discovery_padding_bytes = 1500;

/// The flags of CHANGE-REQUEST (RFC 5780 §7.2).
struct ChangeFlags {
  bool ip = false;
  bool port = false;

  friend bool operator==(const ChangeFlags&, const ChangeFlags&) = default;
};

/// CHANGE-REQUEST; nothing when it is not four bytes long. Other bits are ignored.
[[nodiscard]] std::optional<ChangeFlags> decode_change_request(ByteView value);
/// RESPONSE-PORT: 16 bits, with or without the two bytes that RFC 5780 §7.5 pads them with.
[[nodiscard]] std::optional<std::uint16_t> decode_response_port(ByteView value);

/// What a Binding request asks for by RFC 5780.
struct DiscoveryWish {
  ChangeFlags change;
  std::optional<std::uint16_t> response_port;
  std::optional<std::size_t> padding_bytes;  ///< of the request's own PADDING
  bool is_plain = true;                      ///< none of the three attributes is there
};

/// The attributes of RFC 5780 that a request must not carry where the usage is off.
inline constexpr std::array discovery_attributes{stun::AttributeType::change_request,
                                                 stun::AttributeType::padding,
                                                 stun::AttributeType::response_port};

/// Reads the attributes of RFC 5780. Error: `bad_request` when one is malformed, or when PADDING
/// and RESPONSE-PORT are both there (§6.1).
[[nodiscard]] Result<DiscoveryWish, stun::ErrorCode> read_discovery_wish(
    const stun::MessageView& message);

/// The origins that an answer is about (RFC 5780 §6.1, Table 1).
struct DiscoveryRoute {
  const DiscoveryOrigin* source;  ///< where the answer leaves from
  const DiscoveryOrigin* other;   ///< Ca:Cp, whatever the flags say
};

/// One worker's part in the usage. Empty: the usage is off.
class NatDiscovery {
 public:
  explicit NatDiscovery(std::vector<DiscoverySquare> squares) : squares_(std::move(squares)) {}

  [[nodiscard]] bool is_on() const { return !squares_.empty(); }
  /// Nothing when requests on `tuple` are not served: it is a stream, or came to no origin. The
  /// pointers live as long as this object.
  [[nodiscard]] std::optional<DiscoveryRoute> route(const FiveTuple& tuple,
                                                    ChangeFlags change) const;

 private:
  const std::vector<DiscoverySquare> squares_;
};

}  // namespace turnpike::turn
