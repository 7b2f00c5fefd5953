#include "signaling/blob_store.h"

#include <array>
#include <iterator>
#include <utility>

#include "base/hexadecimal.h"

namespace turnpike::signaling {
namespace {

using namespace std::string_view_literals;

struct Signature {
  std::string_view begins;
  BlobType type;
};

constexpr std::array<Signature, 4> signatures{{
    {"\x89PNG\r\n\x1a\n"sv, {"image/png", "png", true}},
    {"\xff\xd8\xff"sv, {"image/jpeg", "jpg", true}},
    {"GIF87a"sv, {"image/gif", "gif", true}},
    {"GIF89a"sv, {"image/gif", "gif", true}},
}};
constexpr BlobType webp{"image/webp", "webp", true};
constexpr BlobType unknown{"application/octet-stream", "bin", false};
constexpr std::size_t name_bytes = 16;

/// RIFF, four bytes of length, WEBP.
bool is_webp(std::string_view bytes) {
  return bytes.starts_with("RIFF") && bytes.size() >= 12 && bytes.substr(8, 4) == "WEBP";
}

}  // namespace

BlobType BlobType::of(std::string_view bytes) {
  for (const Signature& signature : signatures) {
    if (bytes.starts_with(signature.begins)) return signature.type;
  }
  return is_webp(bytes) ? webp : unknown;
}

Result<std::string, BlobStore::Refusal> BlobStore::put(std::string_view room,
                                                       const IpAddress& source,
                                                       std::string_view bytes, Instant instant) {
  on_deadline(instant);
  const std::size_t cost = bytes.size() + overhead_bytes;
  if (cost > settings_.max_room_bytes) return Failure{Refusal::too_large};
  if (bytes_ + cost > settings_.max_bytes) return Failure{Refusal::store_full};
  const auto of_source = bytes_of_source_.find(source);
  if (of_source != bytes_of_source_.end() &&
      of_source->second + cost > settings_.max_source_bytes) {
    return Failure{Refusal::source_full};
  }
  make_space(room, cost);

  const BlobType type = BlobType::of(bytes);
  entries_.push_back({new_name(type), std::string{room}, source, instant + settings_.lifetime,
                      Blob{std::string{bytes}, type}});
  const auto entry = std::prev(entries_.end());
  by_name_.emplace(entry->name, entry);
  RoomUse& use = rooms_[entry->room];
  use.bytes += cost;
  use.entries.push_back(entry);
  bytes_of_source_[source] += cost;
  bytes_ += cost;
  return entry->name;
}

void BlobStore::make_space(std::string_view room, std::size_t cost) {
  for (;;) {
    const auto of_room = rooms_.find(room);
    if (of_room == rooms_.end()) return;
    if (of_room->second.bytes + cost <= settings_.max_room_bytes) return;
    erase(of_room->second.entries.front());
  }
}

const Blob* BlobStore::find(std::string_view room, std::string_view name, Instant instant) const {
  const auto found = by_name_.find(std::string{name});
  if (found == by_name_.end()) return nullptr;
  const Entry& entry = *found->second;
  return entry.room == room && entry.expires > instant ? &entry.blob : nullptr;
}

void BlobStore::on_deadline(Instant instant) {
  while (!entries_.empty() && entries_.front().expires <= instant) erase(entries_.begin());
}

std::optional<Instant> BlobStore::next_deadline() const {
  if (entries_.empty()) return std::nullopt;
  return entries_.front().expires;
}

std::string BlobStore::new_name(const BlobType& type) {
  std::array<std::uint8_t, name_bytes> random{};
  random_.fill(random);
  return hex_of(random).append(".").append(type.extension);
}

void BlobStore::erase(Entries::iterator entry) {
  const std::size_t cost = entry->cost();
  const auto of_room = rooms_.find(entry->room);
  of_room->second.bytes -= cost;
  of_room->second.entries.pop_front();
  if (of_room->second.entries.empty()) rooms_.erase(of_room);
  const auto of_source = bytes_of_source_.find(entry->source);
  of_source->second -= cost;
  if (of_source->second == 0) bytes_of_source_.erase(of_source);
  bytes_ -= cost;
  by_name_.erase(entry->name);
  entries_.erase(entry);
}

}  // namespace turnpike::signaling
