// Files that pass between the members of a room by way of the server: in memory, and for minutes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/endpoint.h"
#include "base/random.h"
#include "base/result.h"
#include "base/time.h"

namespace turnpike::signaling {

/// What a file is, by its first bytes: nothing that a browser would run is among them.
struct BlobType {
  std::string_view content_type;
  std::string_view extension;
  bool is_image;  ///< may be shown inside a page

  /// PNG, JPEG, GIF, WebP; anything else is application/octet-stream.
  [[nodiscard]] static BlobType of(std::string_view bytes);
};

struct Blob {
  std::string bytes;
  BlobType type;
};

/// Keeps files for their rooms. A room that is full loses its oldest file for a new one; an address
/// or a store that is full takes no more.
class BlobStore {
 public:
  struct Settings {
    milliseconds lifetime{600'000};
    std::size_t max_room_bytes = 20 * 1024 * 1024;
    std::size_t max_source_bytes = 64 * 1024 * 1024;  ///< of one address, in whatever rooms
    std::size_t max_bytes = 256 * 1024 * 1024;        ///< of all
  };
  enum class Refusal : std::uint8_t {
    too_large,    ///< for any room
    source_full,  ///< this address has as much here as it may
    store_full,
  };
  /// What a file costs beside its bytes, so that there is a bound to how many there are.
  static constexpr std::size_t overhead_bytes = 1024;

  /// `random` must outlive it.
  BlobStore(const Settings& settings, Random& random) : settings_(settings), random_(random) {}

  /// Keeps `bytes`, which `source` sent to `room`; the name under which they are found. It has 128
  /// random bits: who knows it may have them.
  [[nodiscard]] Result<std::string, Refusal> put(std::string_view room, const IpAddress& source,
                                                 std::string_view bytes, Instant instant);
  /// Nothing when `room` has no file of that name (any more). Valid until the next call of others.
  [[nodiscard]] const Blob* find(std::string_view room, std::string_view name,
                                 Instant instant) const;
  void on_deadline(Instant instant);
  [[nodiscard]] std::optional<Instant> next_deadline() const;
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  /// With overhead_bytes for each.
  [[nodiscard]] std::size_t total_bytes() const { return bytes_; }

 private:
  struct Entry {
    std::string name;
    std::string room;
    IpAddress source;
    Instant expires;
    Blob blob;
    [[nodiscard]] std::size_t cost() const { return blob.bytes.size() + overhead_bytes; }
  };
  using Entries = std::list<Entry>;
  struct RoomUse {
    std::size_t bytes = 0;
    std::deque<Entries::iterator> entries{};  // oldest first
  };

  /// Ends the oldest files of `room` until there is space for `cost` more.
  void make_space(std::string_view room, std::size_t cost);
  [[nodiscard]] std::string new_name(const BlobType& type);
  /// `entry` must be the oldest of its room.
  void erase(Entries::iterator entry);

  const Settings settings_;
  Random& random_;
  Entries entries_;  // oldest first: all live equally long
  std::unordered_map<std::string, Entries::iterator> by_name_;
  std::map<std::string, RoomUse, std::less<>> rooms_;
  std::map<IpAddress, std::size_t> bytes_of_source_;
  std::size_t bytes_ = 0;
};

}  // namespace turnpike::signaling
