// The raw relay: WebSockets whose messages go to the others of a room as they are. For clients that
// bring their own protocol, and know nothing of rooms but an address.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/random.h"
#include "signaling/blob_store.h"
#include "signaling/door.h"
#include "signaling/doors.h"
#include "signaling/error_code.h"
#include "signaling/offer_window.h"
#include "signaling/rate.h"

namespace turnpike::signaling {

/// What a path under /r/ names. Views into the path.
struct RelayPath {
  std::string_view room;
  bool is_counsel = false;  ///< it ends in /ertc
  std::string_view file{};  ///< of the room; empty: the path names a place in the room itself
};

/// "/r/<room>", with anything after it, or "/r/<room>/resources/upload_images/<file>". Nothing when
/// no room is named, or one that cannot be.
[[nodiscard]] std::optional<RelayPath> parse_relay_path(std::string_view path);

/// Members are the WebSockets at /r/<room>. What one says goes to all others who are there, in
/// order, text as text and binary as binary; nothing is kept for who comes later.
///
/// Two kinds of room (SIGNALING.md §1.2). In a plain one a binary message goes back to its sender.
/// A counsel room, at /r/<room>/ertc, has two parties and an offer window; a binary message is kept
/// as a file, and both are told its name.
class RelayDoor final : public Door {
 public:
  struct Settings {
    OfferWindow::Settings offer_window;
    BlobStore::Settings blobs;
    std::size_t max_message_bytes = 8 * 1024 * 1024;
    std::uint32_t max_sockets_per_address = 64;       ///< IPv6: of a /64
    RateMeter::Rate binaries{milliseconds{200}, 20};  ///< of one member
    /// Kept of what one says while the webhook is asked about it; who says more is closed.
    std::size_t max_early_messages = 16;
    std::size_t max_early_bytes = 64 * 1024;
  };
  struct Counters {
    std::uint64_t files = 0;
    std::uint64_t files_refused = 0;
  };

  /// `doors` and `random` must outlive it.
  RelayDoor(Doors& doors, const Settings& settings, Random& random)
      : doors_(doors), settings_(settings), blobs_(settings.blobs, random) {}

  [[nodiscard]] std::vector<Route> routes() const override;
  void on_asked(ConnectionId id, const Asked& asked, Now now) override;
  void on_opened(ConnectionId id, const Opened& opened, Now now) override;
  void on_text(ConnectionId id, std::string_view text, Now now) override;
  void on_binary(ConnectionId id, std::string_view bytes, Now now) override;
  void on_ended(ConnectionId id, std::uint16_t code, Now now) override;
  void perform(ConnectionId member, const Effect& effect, Now now) override;
  void on_deadline(Now now) override;
  [[nodiscard]] std::optional<Instant> next_deadline() const override;

  [[nodiscard]] const Counters& counters() const { return counters_; }

 private:
  struct RelayRoom {
    bool is_counsel;
    OfferWindow window;
    std::size_t parties = 0;
    std::optional<Instant> due{};  // of its window, as in due_
  };
  using RoomTable = std::map<std::string, RelayRoom, std::less<>>;
  struct Party {
    RoomTable::iterator room;
    IpAddress network;
    RateMeter binaries{};
  };
  /// A WebSocket for which the webhook is asked, and what it has said meanwhile.
  struct Newcomer {
    std::string room;
    bool is_counsel;
    IpAddress network;
    struct Said {
      bool is_text;
      std::string message;
    };
    std::vector<Said> said{};
    std::size_t said_bytes = 0;
  };

  [[nodiscard]] Response answer_get(const RelayPath& path, Now now) const;
  [[nodiscard]] std::optional<ErrorCode> enter(ConnectionId id, const Request& request, Now now);
  void on_answer(ConnectionId id, const EntryAnswer& answer, Now now);
  void add_party(ConnectionId id, const Newcomer& newcomer);
  /// Keeps what a newcomer says until it is let in; false for members.
  [[nodiscard]] bool keep_if_new(ConnectionId id, bool is_text, std::string_view message, Now now);
  /// Who is in that room came by a path of the other kind, or by another door.
  [[nodiscard]] bool is_other_kind(std::string_view room, bool is_counsel,
                                   std::size_t newcomers) const;
  void deliver(const std::vector<OfferWindow::Passed>& passed, Now now);
  void keep_file(ConnectionId id, const Party& party, std::string_view bytes, Now now);
  void schedule(RoomTable::iterator room);
  /// Closes a WebSocket for what it did.
  void end(ConnectionId id, ErrorCode why, Now now);
  void forget_socket_of(const IpAddress& network);
  void forget(ConnectionId id);

  Doors& doors_;
  const Settings settings_;
  BlobStore blobs_;
  Counters counters_;
  RoomTable rooms_;
  std::unordered_map<ConnectionId, Party> parties_;
  std::unordered_map<ConnectionId, Newcomer> newcomers_;
  std::map<IpAddress, std::uint32_t> sockets_of_network_;
  std::set<std::pair<Instant, std::string>> due_;  // rooms in whose windows something waits
};

}  // namespace turnpike::signaling
