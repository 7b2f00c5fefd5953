// Packets of Socket.IO v5 inside Engine.IO messages. Payloads stay the JSON text that came: what is
// relayed is not written again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "signaling/effects.h"
#include "signaling/limits.h"

namespace turnpike::signaling {

/// In the order of their digits on the wire; there, an event or ack with attachments has a digit of
/// its own.
enum class SocketIoType : std::uint8_t { connect, disconnect, event, ack, connect_error };

struct SocketIoPacket {
  SocketIoType type = SocketIoType::event;
  std::string nsp = "/";                   ///< the namespace
  std::optional<std::uint64_t> id{};       ///< of the ack that is asked for, or given
  std::string json{};                      ///< the payload as it came; empty: none
  std::vector<std::string> attachments{};  ///< what the placeholders in `json` stand for
};

struct SocketIoLimits {
  std::size_t max_attachments = 10;   ///< as many as the reference takes
  std::size_t max_bytes = 1'000'000;  ///< of a packet with its attachments
  std::size_t max_nsp_bytes = 128;
  unsigned max_json_depth = bounds::json_depth;
};

/// The reader cannot go on: the reference server closes the connection.
enum class SocketIoError : std::uint8_t {
  malformed,  ///< no packet, or a payload that its type cannot have
  too_large,
  out_of_order,  ///< a text where an attachment is due, or the other way round
};

/// Puts together what comes in several messages.
class SocketIoReader {
 public:
  explicit SocketIoReader(SocketIoLimits limits = {}) : limits_(limits) {}

  /// A packet, or nothing while attachments are still to come.
  ///
  /// Malformed is also what the reference would take but two readers may take differently: an
  /// object that has a key twice.
  [[nodiscard]] Result<std::optional<SocketIoPacket>, SocketIoError> push_text(
      std::string_view text);
  [[nodiscard]] Result<std::optional<SocketIoPacket>, SocketIoError> push_binary(
      std::string_view bytes);

 private:
  [[nodiscard]] Result<SocketIoPacket, SocketIoError> read(std::string_view text);

  SocketIoLimits limits_;
  std::optional<SocketIoPacket> unfinished_;
  std::size_t due_ = 0;    // attachments that unfinished_ waits for
  std::size_t bytes_ = 0;  // of unfinished_
};

/// The text of `packet`; its attachments follow it, one message each.
[[nodiscard]] std::string socketio_text(const SocketIoPacket& packet);

/// The elements of an array as they stand in its text, without the blanks around them.
/// Precondition: `array` is a JSON array.
[[nodiscard]] std::vector<std::string_view> json_elements(std::string_view array);

/// An event's payload with its attachments as one frame, for Rooms to pass on.
[[nodiscard]] Frame pack_event(std::string_view json, const std::vector<std::string>& attachments);
/// What was packed; nothing when `frame` was not.
[[nodiscard]] std::optional<SocketIoPacket> unpack_event(std::string_view frame);

}  // namespace turnpike::signaling
