// The messages of turnpike.v1 as types: what clients say, read; what the server says, written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "signaling/error_code.h"
#include "signaling/ice.h"
#include "signaling/limits.h"
#include "signaling/rights.h"

namespace turnpike::signaling {

// --- What clients say ----------------------------------------------------------------------------
// Members named `…_json` hold JSON text, written again by us: on one line, keys in order.

struct Join {
  std::string room;
  std::string token;
  std::string name;
  std::string meta_json = "{}";
  std::optional<std::string> resume;  ///< the ticket
  std::uint64_t last_seq = 0;
};
struct Signal {
  std::string to;
  std::string data_json;
};
struct Message {
  std::optional<std::vector<std::string>> to;  ///< nothing: the whole room
  std::string event;
  std::string data_json;
};
struct Update {
  std::string meta_json;
};
struct WantIce {};
struct Leave {};
struct End {};
struct Kick {
  std::string peer;
};
struct Lock {
  bool locked;
};
struct Path {
  std::string peer;
  std::string local;
  std::string remote;
  std::string relay_protocol;
};
struct Pong {
  std::uint64_t ts;
};

using ClientBody =
    std::variant<Join, Signal, Message, Update, WantIce, Leave, End, Kick, Lock, Path, Pong>;

/// How many types of client messages there are, and the name of each, in the order of ClientBody.
inline constexpr std::size_t client_types = std::variant_size_v<ClientBody>;
[[nodiscard]] std::string_view client_type_name(std::size_t index);

/// One message of a client.
struct ClientMessage {
  std::string id_json;  ///< the request's `id`, a number or text, as JSON; empty: none
  ClientBody body;
};

/// Why a message could not be read.
struct MessageError {
  ErrorCode code = ErrorCode::bad_message;
  std::string id_json;
  std::string text;    ///< for a developer to read
  bool fatal = false;  ///< the text is no JSON object at all: nothing after it can be trusted
};

/// Reads one text message. Unknown fields are ignored. Parts that are too long are `too_large`,
/// everything else that is wrong is `bad_message`.
[[nodiscard]] Result<ClientMessage, MessageError> parse_client_message(std::string_view text);

// --- What the server says ------------------------------------------------------------------------
// All are frames' texts, fields in the order of the specification. An empty `id_json` is left out.

/// What is said about a peer, to one other peer.
struct PeerView {
  std::string_view peer;
  std::uint32_t n = 0;
  std::string_view name;
  std::string_view meta_json;
  bool polite = false;  ///< the reader's own role toward this peer
  bool offer = false;
  bool away = false;
};

/// The reply to a join.
struct JoinedView {
  std::string_view id_json;
  bool resumed = false;
  std::string_view peer;
  std::uint32_t n = 0;
  std::string_view name;
  Role role = Role::member;
  std::string_view room;
  std::uint32_t max = 0;
  bool locked = false;
  std::string_view room_meta_json;
  std::vector<PeerView> peers;
  const IceServers* ice = nullptr;
  bool relay_only = false;
  std::string_view ticket;
  milliseconds resume_window{};
  milliseconds ping_interval{};
  milliseconds ping_timeout{};
  std::size_t max_message_bytes = 0;
  std::uint32_t messages_per_second = 0;
  std::string_view version;
  std::string_view node;
  std::string_view region;
};

/// A message, to the room or to some.
struct MessageView {
  std::string_view from;
  std::string_view event;
  std::string_view data_json;
  std::uint64_t seq = 0;
  WallTime at{};
  bool is_private = false;
};

/// An error as the client is told.
struct ErrorView {
  std::string_view id_json;
  ErrorCode code = ErrorCode::bad_message;
  std::string_view text;
  std::optional<milliseconds> retry_after;
  bool fatal = false;
};

enum class LeaveReason : std::uint8_t { left, timeout, kicked, replaced };
[[nodiscard]] std::string_view to_string(LeaveReason reason);

[[nodiscard]] std::string joined_text(const JoinedView& joined);
[[nodiscard]] std::string peer_joined_text(const PeerView& peer);
[[nodiscard]] std::string signal_text(std::string_view from, std::uint64_t seq,
                                      std::string_view data_json);
[[nodiscard]] std::string message_text(const MessageView& message);
[[nodiscard]] std::string ack_text(std::string_view id_json,
                                   std::optional<std::size_t> delivered = std::nullopt);
[[nodiscard]] std::string peer_updated_text(std::string_view peer, std::string_view meta_json);
[[nodiscard]] std::string peer_away_text(std::string_view peer);
[[nodiscard]] std::string peer_back_text(std::string_view peer);
[[nodiscard]] std::string peer_left_text(std::string_view peer, LeaveReason reason);
/// The array as RTCConfiguration.iceServers takes it.
[[nodiscard]] std::string ice_servers_json(const IceServers& ice);
[[nodiscard]] std::string ice_text(std::string_view id_json, const IceServers& ice);
/// `code` is "room_ended" or "kicked".
[[nodiscard]] std::string closed_text(std::string_view code);
[[nodiscard]] std::string goaway_text(milliseconds reconnect_after, std::string_view url);
[[nodiscard]] std::string ping_text(std::uint64_t ts);
[[nodiscard]] std::string error_text(const ErrorView& error);

/// Milliseconds since 1970, as every time on the wire.
[[nodiscard]] std::uint64_t wire_time(WallTime time);

}  // namespace turnpike::signaling
