// What somebody saw: for comparing two runs of a world (I-17). What servers draw at random is left
// out, since another draw is no difference.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/time.h"
#include "sim/wire.h"

namespace turnpike::sim {

/// Entries by the address of the client that they are about.
class Diaries {
 public:
  using Diary = std::vector<std::string>;

  /// A datagram has come to the client.
  void received(const IpAddress& client, const Bytes& datagram, Instant now);
  /// Its payload has come to a peer.
  void relayed(const IpAddress& client, const Endpoint& peer, ByteView payload, Instant now);
  /// A data connection of its has carried that, and is not read for so long.
  void moved(const IpAddress& client, std::uint64_t bytes, nanoseconds pause, Instant now);
  /// Empty for whom nothing has happened to.
  [[nodiscard]] Diary of(const IpAddress& client) const;

 private:
  std::map<IpAddress, Diary> diaries_;
};

/// The first entry that two diaries differ in, for people; empty: they are the same.
[[nodiscard]] std::string first_difference(const Diaries::Diary& one, const Diaries::Diary& other);

}  // namespace turnpike::sim
