#include "cli/allocation_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/table.h"

namespace turnpike::cli {
namespace {

using Json = nlohmann::json;

std::uint64_t number(const Json& object, const char* name) {
  return object.value(name, std::uint64_t{0});
}

std::uint64_t bytes_of(const Json& allocation) {
  const Json traffic = allocation.value("traffic", Json::object());
  return number(traffic, "bytesToPeer") + number(traffic, "bytesToClient");
}

/// The first `columns` of a line of UTF-8.
std::string cut(std::string_view line, std::size_t columns) {
  std::size_t at = 0;
  for (std::size_t width = 0; at < line.size(); ++at) {
    const bool begins = (static_cast<unsigned char>(line[at]) & 0xc0) != 0x80;
    if (begins && ++width > columns) break;
  }
  return std::string{line.substr(0, at)};
}

std::string summary_of(const Json& status) {
  std::string text = fmt::format("turnpike {}, up {}", status.value("version", ""),
                                 age_text(number(status, "uptimeSeconds")));
  if (status.value("draining", false)) text += ", DRAINING";
  return text + "\n" +
         fmt::format("{} allocations, {} of {} relay ports free, {} rooms, {} peers",
                     number(status, "allocations"), number(status, "freeRelayPorts"),
                     number(status, "relayPorts"), number(status, "rooms"),
                     number(status, "peers"));
}

}  // namespace

std::string relayed_text(const Json& allocation) {
  std::string text;
  for (const Json& address : allocation.value("relayed", Json::array())) {
    if (!text.empty()) text += ", ";
    text += address.get<std::string>();
  }
  return text;
}

std::string allocation_table(const Json& allocations) {
  std::vector<TableRow> rows{
      {"ID", "USER", "CLIENT", "BY", "RELAYED", "TO", "EXPIRES", "RELAYED BYTES", "RATE"}};
  for (const Json& each : allocations) {
    rows.push_back({each.value("id", ""), each.value("user", ""), each.value("client", ""),
                    each.value("clientTransport", ""), relayed_text(each),
                    each.value("peerTransport", ""), age_text(number(each, "expiresIn")),
                    size_text(bytes_of(each)), rate_text(number(each, "bitrate"))});
  }
  return table_text(rows);
}

std::string top_frame(const Json& status, const Json& list, std::size_t lines,
                      std::size_t columns) {
  const std::string text = summary_of(status) + "\n\n" + allocation_table(list["allocations"]);
  std::string frame;
  std::string_view rest = text;
  for (std::size_t line = 0; line < lines && !rest.empty(); ++line) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    frame += cut(rest.substr(0, end), columns) + "\n";
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return frame;
}

}  // namespace turnpike::cli
