// Who may ask the REST API, and how often.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "signaling/api_keys.h"
#include "signaling/doors.h"
#include "signaling/rate.h"

namespace turnpike::signaling {

/// Lets in programs that bring an API key, and the operator of this host without one. Every key may
/// do everything: keys tell programs apart and can be rotated, they are no tenants.
class RestGate {
 public:
  struct Settings {
    std::uint32_t requests_per_second = 50;  ///< of one API key; 0: no limit
    std::uint32_t request_burst = 200;
  };
  /// Whether the key may also stand in the query, as the "TURN REST" convention has it.
  enum class KeyPlace : std::uint8_t { header, header_or_query };

  /// The referenced objects must outlive it.
  RestGate(Settings settings, const ApiKeys& keys, const Doors& doors)
      : settings_(settings), keys_(keys), doors_(doors) {}

  /// The key that `request` on `id` brings; nullptr: the operator of this host. Error: the 401 or
  /// 429 to answer.
  [[nodiscard]] Result<const ApiKey*, Response> admit(ConnectionId id, const Request& request,
                                                      Now now, KeyPlace place = KeyPlace::header);

 private:
  [[nodiscard]] std::optional<Response> spend(const ApiKey& key, Now now);

  const Settings settings_;
  const ApiKeys& keys_;
  const Doors& doors_;
  std::map<std::string, RateMeter, std::less<>> rates_;  // by the keys' ids
};

/// The API key in the query of `request`: `key`, or `api` as Janus calls it.
[[nodiscard]] std::optional<std::string> key_in_query(const Request& request);

}  // namespace turnpike::signaling
