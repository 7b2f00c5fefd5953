#include "server/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <string_view>
#include <vector>

#include "signaling/call_path.h"
#include "signaling/error_code.h"
#include "signaling/protocol.h"
#include "version.h"

namespace turnpike::server {
namespace {

using Families = std::vector<prometheus::MetricFamily>;
using Label = prometheus::ClientMetric::Label;

prometheus::MetricFamily& add(Families& families, std::string_view name, std::string_view help,
                              prometheus::MetricType type) {
  families.push_back({"turnpike_" + std::string{name}, std::string{help}, type, {}});
  return families.back();
}

void add_value(prometheus::MetricFamily& family, std::uint64_t value,
               std::vector<Label> labels = {}) {
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  (family.type == prometheus::MetricType::Gauge ? metric.gauge.value : metric.counter.value) =
      static_cast<double>(value);
  family.metric.push_back(std::move(metric));
}

Label label(std::string_view name, std::string_view value) {
  return {std::string{name}, std::string{value}};
}

void add_build(Families& families) {
  auto& build =
      add(families, "build_info", "The version that runs.", prometheus::MetricType::Gauge);
  add_value(build, 1, {label("version", TURNPIKE_VERSION)});
}

void add_reasons(Families& families, const ReasonTotals& reasons) {
  auto& family =
      add(families, "datagrams_total", "Datagrams and stream messages by how they ended.",
          prometheus::MetricType::Counter);
  for (std::size_t i = 0; i < reasons.size(); ++i) {
    add_value(family, reasons[i], {label("reason", to_string(static_cast<turn::Reason>(i)))});
  }
}

void add_rooms(Families& families, const signaling::Rooms& rooms) {
  using prometheus::MetricType;
  const signaling::Rooms::Counters& counters = rooms.counters();
  add_value(add(families, "rooms", "Rooms that are open.", MetricType::Gauge), rooms.room_count());
  add_value(add(families, "room_peers", "Members of rooms.", MetricType::Gauge),
            rooms.member_count());

  auto& messages =
      add(families, "signal_messages_total", "Messages of turnpike.v1.", MetricType::Counter);
  for (std::size_t i = 0; i < counters.received.size(); ++i) {
    add_value(messages, counters.received[i],
              {label("direction", "in"), label("type", signaling::client_type_name(i))});
  }
  add_value(messages, counters.sent, {label("direction", "out"), label("type", "any")});

  auto& rejected =
      add(families, "signal_rejected_total", "Refusals by their code.", MetricType::Counter);
  for (std::size_t i = 0; i < counters.rejected.size(); ++i) {
    const auto code = static_cast<signaling::ErrorCode>(i);
    add_value(rejected, counters.rejected[i], {label("code", to_string(code))});
  }

  auto& resumes = add(families, "resumes_total", "Connections that came back with a ticket.",
                      MetricType::Counter);
  add_value(resumes, counters.resumed, {label("result", "resumed")});
  add_value(resumes, counters.resume_failed, {label("result", "failed")});

  auto& paths =
      add(families, "call_paths_total",
          "Ways that calls took, as each end of each pair reports it.", MetricType::Counter);
  for (std::size_t i = 0; i < counters.paths.size(); ++i) {
    const auto path = static_cast<signaling::CallPath>(i);
    add_value(paths, counters.paths[i], {label("path", to_string(path))});
  }
}

}  // namespace

std::string metrics_text(const signaling::Rooms& rooms, const ReasonTotals& reasons) {
  Families families;
  add_build(families);
  add_reasons(families, reasons);
  add_rooms(families, rooms);
  return prometheus::TextSerializer{}.Serialize(families);
}

}  // namespace turnpike::server
