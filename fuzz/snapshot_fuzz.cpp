// Snapshots: the input as one, and as the content of one whose head is right. What is refused
// leaves the heirs fresh; what is taken is written again as it was, and a server that has it goes
// on.

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

/// A fresh server that takes what it is given, is written down again and ends.
void check(ByteView snapshot) {
  const Limits limits;
  fuzz::Bench bench{limits};
  const auto decoded = decode_snapshot(snapshot);
  if (decoded)
    PROMISE(encode_snapshot(decoded.value()) ==
            std::vector<std::uint8_t>(snapshot.begin(), snapshot.end()));

  Effects effects;
  const Heir heir{bench.server, effects};
  const Now now{Instant{} + seconds{1'000'000}, WallTime{} + seconds{1'800'000'000}};
  const auto error = restore_snapshot(snapshot, std::span{&heir, 1}, bench.ledger, now);
  PROMISE(error || decoded);
  if (error) {
    PROMISE(effects.list().empty());
    PROMISE(bench.server.allocation_count() == 0 && bench.ledger.allocations() == 0);
    return;
  }
  PROMISE(bench.server.allocation_count() == bench.ledger.allocations());

  const std::array<const Server*, 1> servers{&bench.server};
  PROMISE(decode_snapshot(take_snapshot(servers, bench.ledger)));
  bench.server.end_all(CloseReason::shutdown, now, effects);
  PROMISE(bench.server.allocation_count() == 0 && bench.ledger.allocations() == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const ByteView input{bytes, size};
  check(input);
  check(with_head(input));
  return 0;
}
