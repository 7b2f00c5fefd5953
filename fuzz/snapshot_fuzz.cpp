// Snapshots: the input as one, and as the content of one whose head is right. What is refused
// leaves the heirs fresh; what is taken is written again as it was, and servers that have it can be
// written down and end, and nothing is left of it.

#include <algorithm>
#include <array>

#include "base/crypto.h"
#include "server_bench.h"
#include "turn/snapshot.h"
#include "turn/snapshot_bytes.h"

namespace {

using namespace turnpike;
using namespace turnpike::turn;

/// `content` behind a head with its own length and checksum.
std::vector<std::uint8_t> with_head(ByteView content) {
  constexpr std::size_t length_at = 12;
  constexpr std::size_t checksum_at = 20;
  std::vector<std::uint8_t> snapshot = encode_snapshot({});
  snapshot.resize(checksum_at + 4);
  snapshot.insert(snapshot.end(), content.begin(), content.end());
  const MutableByteView bytes{snapshot};
  store_be64(bytes.subspan(length_at), content.size());
  const ByteView whole{snapshot};
  store_be32(bytes.subspan(checksum_at), crc32c({whole.first(checksum_at), content}));
  return snapshot;
}

/// Two fresh servers: that of the bench, and worker 1, which serves TCP relays and mobility.
class Heirs {
 public:
  std::optional<SnapshotError> take(ByteView snapshot) {
    const std::array<Heir, 2> heirs{Heir{bench_.server, effects_}, Heir{second_, effects_}};
    return restore_snapshot(snapshot, heirs, bench_.ledger, now);
  }

  [[nodiscard]] bool are_fresh() const {
    return effects_.list().empty() && allocations() == 0 && second_.peer_connection_count() == 0 &&
           guests() == 0 && bench_.ledger.allocations() == 0 && free_ports() == all_ports;
  }
  [[nodiscard]] bool are_charged_for_what_is_there() const {
    return allocations() == bench_.ledger.allocations();
  }
  [[nodiscard]] bool can_be_written_down() const {
    const std::array<const Server*, 2> servers{&bench_.server, &second_};
    return decode_snapshot(take_snapshot(servers, bench_.ledger)).has_value();
  }

  /// Ends everything, and lets the time of reservations run out.
  void end() {
    bench_.server.end_all(CloseReason::shutdown, now, effects_);
    second_.end_all(CloseReason::shutdown, now, effects_);
    PROMISE(bench_.ledger.may_reserve({}, std::nullopt, Instant::max()));
  }
  [[nodiscard]] bool have_nothing_left() {
    return allocations() == 0 && second_.peer_connection_count() == 0 &&
           bench_.ledger.allocations() == 0 && bench_.ledger.connections().size() == 0 &&
           free_ports() == all_ports;
  }

 private:
  static constexpr Now now{Instant{seconds{1'000'000}}, WallTime{seconds{1'800'000'000}}};
  static constexpr std::size_t all_ports = 64;  // 32 of each address

  static Server::Settings settings_of_second() {
    Server::Settings settings = fuzz::Bench::server_settings({});
    settings.worker = WorkerId{1};
    settings.tcp_relays = true;
    settings.ticket_key.emplace().fill(0x74);
    return settings;
  }
  [[nodiscard]] std::size_t allocations() const {
    return bench_.server.allocation_count() + second_.allocation_count();
  }
  [[nodiscard]] std::size_t guests() const {
    return bench_.server.guest_count() + second_.guest_count();
  }
  [[nodiscard]] std::size_t free_ports() const { return bench_.ledger.free_ports(); }

  fuzz::Bench bench_{{}};
  Server second_{settings_of_second(), fuzz::credential_book(), bench_.policy, bench_.ledger,
                 bench_.random};
  Effects effects_;
};

void check_refused(ByteView snapshot, SnapshotError error) {
  static Heirs heirs;  // of all that is refused: nothing of it is taken
  PROMISE(heirs.take(snapshot) == error);
  PROMISE(heirs.are_fresh());
}

void check_taken(ByteView snapshot, const SavedState& state) {
  const std::vector<std::uint8_t> again = encode_snapshot(state);
  PROMISE(std::equal(again.begin(), again.end(), snapshot.begin(), snapshot.end()));

  Heirs heirs;
  if (const auto error = heirs.take(snapshot)) {
    PROMISE(*error == SnapshotError::no_such_worker && heirs.are_fresh());
    return;
  }
  PROMISE(heirs.are_charged_for_what_is_there());
  PROMISE(heirs.can_be_written_down());
  heirs.end();
  PROMISE(heirs.have_nothing_left());
}

void check(ByteView snapshot) {
  const auto decoded = decode_snapshot(snapshot);
  if (decoded) {
    check_taken(snapshot, *decoded);
  } else {
    check_refused(snapshot, decoded.error());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const ByteView input{bytes, size};
  check(input);
  check(with_head(input));
  return 0;
}
