#include "server/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <deque>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "signaling/call_path.h"
#include "signaling/error_code.h"
#include "signaling/protocol.h"
#include "version.h"

namespace turnpike::server {
namespace {

/// Of those who are in rooms. OpenVidu's clients come in by the native one.
constexpr std::array<std::string_view, 3> doors{"native", "socketio", "relay"};

/// References stay valid while families are added.
using Families = std::deque<prometheus::MetricFamily>;
using Label = prometheus::ClientMetric::Label;
using prometheus::MetricType;

prometheus::MetricFamily& add(Families& families, std::string_view name, std::string_view help,
                              MetricType type) {
  families.push_back({"turnpike_" + std::string{name}, std::string{help}, type, {}});
  return families.back();
}

void add_value(prometheus::MetricFamily& family, std::uint64_t value,
               std::vector<Label> labels = {}) {
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  (family.type == MetricType::Gauge ? metric.gauge.value : metric.counter.value) =
      static_cast<double>(value);
  family.metric.push_back(std::move(metric));
}

Label label(std::string_view name, std::string_view value) {
  return {std::string{name}, std::string{value}};
}

void add_build(Families& families) {
  auto& build = add(families, "build_info", "The version that runs.", MetricType::Gauge);
  add_value(build, 1, {label("version", TURNPIKE_VERSION)});
}

void add_reasons(Families& families, const ReasonTotals& reasons) {
  auto& family = add(families, "datagrams_total",
                     "Datagrams and stream messages by how they ended.", MetricType::Counter);
  for (std::size_t i = 0; i < reasons.size(); ++i) {
    add_value(family, reasons[i], {label("reason", to_string(static_cast<turn::Reason>(i)))});
  }
}

/// Those of the reasons that begin with `verb`, without it.
void add_reasons(Families& families, std::string_view name, std::string_view help,
                 std::string_view verb, const ReasonTotals& reasons) {
  auto& family = add(families, name, help, MetricType::Counter);
  for (std::size_t i = 0; i < reasons.size(); ++i) {
    const std::string_view reason = to_string(static_cast<turn::Reason>(i));
    if (!reason.starts_with(verb)) continue;
    add_value(family, reasons[i], {label("reason", reason.substr(verb.size()))});
  }
}

/// Requests of senders who are not who they say, or not any more.
void add_auth_failures(Families& families, const ReasonTotals& reasons) {
  using turn::Reason;
  static constexpr std::pair<Reason, std::string_view> failures[]{
      {Reason::refused_unknown_user, "unknown_user"},
      {Reason::refused_expired_user, "expired_user"},
      {Reason::refused_revoked_user, "revoked_user"},
      {Reason::refused_wrong_password, "wrong_password"},
      {Reason::refused_bad_credentials, "malformed"},
      {Reason::dropped_user_unanswered, "no_answer"},
      {Reason::dropped_throttled, "throttled"}};
  auto& family = add(families, "auth_failures_total", "Requests that were not authenticated.",
                     MetricType::Counter);
  for (const auto& [reason, name] : failures) {
    add_value(family, reasons[static_cast<std::size_t>(reason)], {label("reason", name)});
  }
}

void add_allocations(Families& families, const turn::RelayTotals& totals) {
  auto& live =
      add(families, "allocations", "Relays in use, by the client's transport.", MetricType::Gauge);
  auto& answers =
      add(families, "allocations_total", "Allocate requests by their answer.", MetricType::Counter);
  const auto& allocates = totals.answers_to(stun::Method::allocate);
  for (std::size_t i = 0; i < turn::transport_count; ++i) {
    const auto transport = to_string(static_cast<Transport>(i));
    add_value(live, totals.relays[i][0], {label("family", "ipv4"), label("transport", transport)});
    add_value(live, totals.relays[i][1], {label("family", "ipv6"), label("transport", transport)});
    for (std::size_t code = 0; code < turn::answer_codes.size(); ++code) {
      const bool is_success = turn::answer_codes[code] == 200;
      const std::uint64_t count = is_success ? totals.opened[i] : allocates[i][code];
      if (count == 0) continue;  // most of them never happen
      add_value(
          answers, count,
          {label("code", std::to_string(turn::answer_codes[code])), label("transport", transport)});
    }
  }
  auto& closed = add(families, "allocations_closed_total", "Allocations by why they ended.",
                     MetricType::Counter);
  for (std::size_t i = 0; i < totals.closed.size(); ++i) {
    add_value(closed, totals.closed[i],
              {label("reason", to_string(static_cast<turn::CloseReason>(i)))});
  }
  auto& rejected = add(families, "quota_rejections_total", "Allocates that a limit refused.",
                       MetricType::Counter);
  for (std::size_t i = 0; i < totals.quota_rejections.size(); ++i) {
    add_value(rejected, totals.quota_rejections[i],
              {label("scope", to_string(static_cast<turn::QuotaScope>(i)))});
  }
}

void add_requests(Families& families, const turn::RelayTotals& totals) {
  auto& family =
      add(families, "stun_requests_total", "Requests by their answer.", MetricType::Counter);
  for (const stun::Method method : turn::answered_methods) {
    for (std::size_t i = 0; i < turn::transport_count; ++i) {
      for (std::size_t code = 0; code < turn::answer_codes.size(); ++code) {
        const std::uint64_t count = totals.answers_to(method)[i][code];
        if (count == 0) continue;  // most of them never happen
        add_value(family, count,
                  {label("code", std::to_string(turn::answer_codes[code])),
                   label("method", turn::metric_name(method)),
                   label("transport", to_string(static_cast<Transport>(i)))});
      }
    }
  }
}

void add_durations(Families& families, const turn::RelayTotals& totals) {
  prometheus::ClientMetric metric;
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < totals.durations.size(); ++i) {
    count += totals.durations[i];
    const bool is_last = i == turn::duration_bounds_s.size();
    const double bound = is_last ? std::numeric_limits<double>::infinity()
                                 : static_cast<double>(turn::duration_bounds_s.at(i));
    metric.histogram.bucket.push_back({count, bound});
  }
  metric.histogram.sample_count = count;
  metric.histogram.sample_sum = static_cast<double>(totals.duration_seconds);
  add(families, "allocation_duration_seconds", "How long allocations lived.", MetricType::Histogram)
      .metric.push_back(std::move(metric));
}

void add_volume(Families& families, const turn::RelayTotals& totals) {
  auto& bytes =
      add(families, "relay_bytes_total", "Payload that was passed on.", MetricType::Counter);
  auto& packets =
      add(families, "relay_packets_total", "Datagrams that were passed on.", MetricType::Counter);
  for (const auto direction : {turn::RelayDirection::to_peer, turn::RelayDirection::to_client}) {
    for (std::size_t i = 0; i < turn::relay_path_count; ++i) {
      const auto path = static_cast<turn::RelayPath>(i);
      const auto& volume = totals.volume(direction, path);
      const std::vector<Label> labels{label("direction", to_string(direction)),
                                      label("path", to_string(path))};
      add_value(bytes, volume.bytes, labels);
      if (path != turn::RelayPath::stream) add_value(packets, volume.packets, labels);
    }
  }
}

void add_gauge(Families& families, std::string_view name, std::string_view help,
               std::uint64_t value) {
  add_value(add(families, name, help, MetricType::Gauge), value);
}

void add_connections(Families& families, const ConnectionTotals& totals) {
  auto& open = add(families, "connections", "Connections that are open.", MetricType::Gauge);
  add_value(open, totals.streams_open, {label("proto", "stream")});
  add_value(open, totals.dtls_open, {label("proto", "dtls")});
  add_value(open, totals.http_open, {label("proto", "http")});
  add_value(
      add(families, "connections_accepted_total", "TCP and TLS connections.", MetricType::Counter),
      totals.streams_accepted);
  auto& handshakes =
      add(families, "tls_handshakes_total", "Handshakes of TLS and DTLS.", MetricType::Counter);
  add_value(handshakes, totals.handshakes_done, {label("result", "done")});
  add_value(handshakes, totals.handshakes_timed_out, {label("result", "timed_out")});
  add_value(handshakes, totals.handshakes_given_up, {label("result", "given_up")});
  add_value(handshakes, totals.handshakes_refused, {label("result", "refused")});
}

void add_unsent(Families& families, const UnsentTotals& totals) {
  auto& family =
      add(families, "send_dropped_total",
          "Datagrams that were on their way out and did not leave, by why.", MetricType::Counter);
  add_value(family, totals.full, {label("reason", "full")});
  add_value(family, totals.refused, {label("reason", "refused")});
  add_value(family, totals.slow_client, {label("reason", "slow_client")});
  add_value(family, totals.between_workers, {label("reason", "between_workers")});
}

void add_users(Families& families, const UserTotals& totals) {
  auto& asked =
      add(families, "users_asked_total",
          "Users that are not in the configuration, by what was found.", MetricType::Counter);
  add_value(asked, totals.found, {label("result", "found")});
  add_value(asked, totals.absent, {label("result", "absent")});
  add_value(asked, totals.unanswered, {label("result", "unanswered")});
  auto& hook =
      add(families, "auth_hook_requests_total", "Questions to the hook.", MetricType::Counter);
  add_value(hook, totals.hook_asked - totals.hook_failed, {label("result", "answered")});
  add_value(hook, totals.hook_failed, {label("result", "failed")});
  add_value(add(families, "auth_hook_stale_answers_total",
                "Old answers that stood in for missing ones.", MetricType::Counter),
            totals.stood_in);
  add_gauge(families, "auth_hook_up", "0 while the hook is left alone after failures.",
            totals.is_hook_up ? 1 : 0);
}

/// Under the names that all of Prometheus's libraries give them.
void add_process(Families& families, const ServerNumbers& numbers) {
  const auto gauge = [&](const char* name, const char* help, double value) {
    prometheus::ClientMetric metric;
    metric.gauge.value = value;
    families.push_back({name, help, MetricType::Gauge, {metric}});
  };
  prometheus::ClientMetric cpu;
  cpu.counter.value = numbers.process.cpu_seconds;
  families.push_back(
      {"process_cpu_seconds_total", "CPU time, user and system.", MetricType::Counter, {cpu}});
  gauge("process_resident_memory_bytes", "Resident memory.",
        static_cast<double>(numbers.process.resident_bytes));
  gauge("process_open_fds", "Open descriptors.",
        static_cast<double>(numbers.process.open_descriptors));
  gauge("process_max_fds", "The most descriptors there may be.",
        static_cast<double>(numbers.process.max_descriptors));
  gauge("process_start_time_seconds", "When it started.",
        static_cast<double>(numbers.started.time_since_epoch().count()));
}

void add_server(Families& families, const ServerNumbers& numbers) {
  add_reasons(families, numbers.reasons);
  add_reasons(families, "relay_dropped_total", "Datagrams that were dropped, by why.", "dropped_",
              numbers.reasons);
  add_auth_failures(families, numbers.reasons);
  add_requests(families, numbers.relays);
  add_allocations(families, numbers.relays);
  add_durations(families, numbers.relays);
  add_volume(families, numbers.relays);
  add_gauge(families, "relay_ports", "Ports for relays, on all addresses.", numbers.relay_ports);
  add_gauge(families, "relay_ports_in_use", "Those taken or promised.", numbers.relay_ports_in_use);
  add_connections(families, numbers.connections);
  add_unsent(families, numbers.unsent);
  if (numbers.users) add_users(families, *numbers.users);
  if (numbers.certificate_not_after) {
    add_gauge(
        families, "certificate_not_after_seconds", "When the certificate runs out.",
        static_cast<std::uint64_t>(numbers.certificate_not_after->time_since_epoch().count()));
  }
  if (numbers.reload_succeeded) {
    add_gauge(families, "config_reload_success", "0 after a reload that changed nothing.",
              *numbers.reload_succeeded ? 1 : 0);
  }
  add_gauge(families, "draining", "1 while no new clients are taken.", numbers.is_draining ? 1 : 0);
}

void add_rooms(Families& families, const signaling::Rooms& rooms) {
  const signaling::Rooms::Counters& counters = rooms.counters();
  add_value(add(families, "rooms", "Rooms that are open.", MetricType::Gauge), rooms.room_count());
  auto& peers = add(families, "room_peers", "Members of rooms.", MetricType::Gauge);
  const auto members = rooms.members_by_door();
  for (const std::string_view door : doors) {
    const auto found = members.find(door);
    add_value(peers, found == members.end() ? 0 : found->second, {label("door", door)});
  }

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
  for (const signaling::CallPath& path : signaling::possible_call_paths()) {
    add_value(paths, counters.paths[index_of(path)],
              {label("local", to_string(path.local)), label("remote", to_string(path.remote)),
               label("relay_protocol", to_string(path.relay_protocol))});
  }
}

}  // namespace

std::uint64_t ProcessReader::count_descriptors() {
  constexpr const char* path = "/proc/self/fd";
  struct stat directory {};
  const bool is_said = kernel_counts_descriptors_ && ::stat(path, &directory) == 0;
  if (is_said && directory.st_size > 0) return static_cast<std::uint64_t>(directory.st_size);
  const auto begin = Clock::now();
  if (begin < list_again_at_) return listed_;
  listed_ = 0;
  std::error_code error;
  for (const auto& each : std::filesystem::directory_iterator{path, error}) {
    static_cast<void>(each);
    ++listed_;
  }
  if (listed_ > 0) --listed_;  // that of the list
  const auto end = Clock::now();
  list_again_at_ = end + 100 * (end - begin);
  return listed_;
}

ProcessTotals ProcessReader::read() {
  ProcessTotals totals;
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    for (const timeval& time : {usage.ru_utime, usage.ru_stime}) {
      totals.cpu_seconds +=
          static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    }
  }
  std::uint64_t all_pages = 0;
  std::uint64_t resident_pages = 0;
  if (std::ifstream statm{"/proc/self/statm"}; statm >> all_pages >> resident_pages) {
    totals.resident_bytes = resident_pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  }
  totals.open_descriptors = count_descriptors();
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) totals.max_descriptors = limit.rlim_cur;
  return totals;
}

std::string metrics_text(const signaling::Rooms& rooms, const ServerNumbers& numbers) {
  Families families;
  add_build(families);
  add_server(families, numbers);
  add_rooms(families, rooms);
  add_process(families, numbers);
  return prometheus::TextSerializer{}.Serialize(
      {std::make_move_iterator(families.begin()), std::make_move_iterator(families.end())});
}

}  // namespace turnpike::server
