// Ranges of addresses as coturn writes them ("10.0.0.1-10.0.0.9"), and the prefixes they consist
// of.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/endpoint.h"

namespace turnpike::cli {

/// All addresses from `first` to `last`, both included and of one family. Never empty.
struct AddressRange {
  IpAddress first;
  IpAddress last;

  friend bool operator==(const AddressRange&, const AddressRange&) = default;
};

/// "10.0.0.1-10.0.0.9", "10.0.0.1" or "10.0.0.0/8". Nothing for anything else, and for a range that
/// is reversed.
[[nodiscard]] std::optional<AddressRange> parse_address_range(std::string_view text);

/// What is left of `range` without the addresses in `holes`: in order, none empty.
[[nodiscard]] std::vector<AddressRange> without(const AddressRange& range,
                                                const std::vector<AddressRange>& holes);

/// The fewest prefixes that together are `range`, in order.
[[nodiscard]] std::vector<IpPrefix> prefixes_of(const AddressRange& range);

}  // namespace turnpike::cli
