// The part of the running server that tells how it is doing: log lines, and numbers for others.
#include <string_view>
#include <utility>

#include "server/serving.h"

namespace turnpike::server {

void Service::log_start() const {
  for (const Listener& listener : listen_) {
    std::vector<LogField> fields{{"transport", to_string(listener.transport)},
                                 {"address", listener.endpoint.to_string()},
                                 {"workers", workers_.size()}};
    if (listener.expects_proxy) fields.emplace_back("behind", "proxy_protocol");
    log_event(LogLevel::info, "listening", fields);
  }
  for (const auto& relay : relay_addresses_) {
    log_event(LogLevel::info, "relaying",
              {{"address", relay.bind.to_string()},
               {"seen_as", relay.advertised.to_string()},
               {"ports", std::to_string(config_.relay.ports.first) + "-" +
                             std::to_string(config_.relay.ports.last)}});
  }
  for (const DiscoveryAddress& address : config_.nat_discovery.addresses) {
    log_event(LogLevel::info, "discovering",
              {{"address", address.bind.to_string()},
               {"seen_as", address.advertised.to_string()},
               {"ports", std::to_string(config_.nat_discovery.ports.at(0)) + "," +
                             std::to_string(config_.nat_discovery.ports.at(1))}});
  }
  for (const IpPrefix& prefix : options_.insecure_allow_peers) {
    log_event(
        LogLevel::warn, "insecure_allow_peers",
        {{"prefix", prefix.to_string()}, {"meaning", "users can reach what this host protects"}});
  }
}

Capacity Service::capacity() const {
  const std::uint64_t ports_each = config_.relay.ports.last - config_.relay.ports.first + 1U;
  return {ledger_.allocations(), ledger_.max_allocations(), ports_each * relay_addresses_.size(),
          ledger_.free_ports(), ledger_.is_closed()};
}

ReasonTotals Service::reason_totals() const {
  ReasonTotals totals{};
  for (const auto& worker : workers_) {
    for (std::size_t i = 0; i < totals.size(); ++i) totals[i] += worker->counters()[i].value();
  }
  return totals;
}

void Service::log_counters() const {
  std::vector<LogField> fields;
  const ReasonTotals totals = reason_totals();
  for (std::size_t i = 0; i < turn::reason_count; ++i) {
    if (totals[i] > 0)
      fields.emplace_back(turn::to_string(static_cast<turn::Reason>(i)), totals[i]);
  }
  std::uint64_t lost_mail = 0;
  StreamCounters streams;
  for (const auto& worker : workers_) {
    lost_mail += worker->lost_mail();
    const StreamCounters& some = worker->stream_counters();
    streams.accepted += some.accepted;
    streams.refused_limit += some.refused_limit;
    streams.refused_rate += some.refused_rate;
    streams.handshake_timed_out += some.handshake_timed_out;
    streams.dropped_half_open += some.dropped_half_open;
    streams.timed_out += some.timed_out;
    streams.broken += some.broken;
    streams.flooded += some.flooded;
    streams.dropped_full += some.dropped_full;
    streams.refused_untrusted += some.refused_untrusted;
    streams.no_proxy_header += some.no_proxy_header;
  }
  if (lost_mail > 0) fields.emplace_back("lost_between_workers", lost_mail);
  if (streams.accepted + streams.refused_limit + streams.refused_rate + streams.refused_untrusted >
      0) {
    fields.emplace_back("streams_accepted", streams.accepted.value());
    fields.emplace_back("streams_refused_limit", streams.refused_limit.value());
    fields.emplace_back("streams_refused_rate", streams.refused_rate.value());
    fields.emplace_back("streams_handshake_timed_out", streams.handshake_timed_out.value());
    fields.emplace_back("streams_dropped_half_open", streams.dropped_half_open.value());
    fields.emplace_back("streams_timed_out", streams.timed_out.value());
    fields.emplace_back("streams_broken", streams.broken.value());
    fields.emplace_back("streams_flooded", streams.flooded.value());
    fields.emplace_back("streams_dropped_full", streams.dropped_full.value());
    fields.emplace_back("streams_refused_untrusted", streams.refused_untrusted.value());
    fields.emplace_back("streams_no_proxy_header", streams.no_proxy_header.value());
  }
  if (!config_.listen.dtls.empty()) add_dtls_counters(fields);
  log_event(LogLevel::info, "counters", fields);
}

/// For the metrics; on the thread of the rooms.
ServerNumbers Service::numbers() {
  ServerNumbers numbers;
  numbers.reasons = reason_totals();
  for (const auto& worker : workers_) numbers.relays += worker->relay_counters();
  const std::uint64_t ports = config_.relay.ports.last - config_.relay.ports.first + 1U;
  numbers.relay_ports = ports * relay_addresses_.size();
  numbers.relay_ports_in_use = numbers.relay_ports - ledger_.free_ports();
  numbers.connections = connection_totals();
  numbers.unsent = unsent_totals();
  if (users_) {
    const UserSource::Counters& users = users_->counters();
    numbers.users =
        UserTotals{users.found.value(),      users.absent.value(),      users.unanswered.value(),
                   users.hook_asked.value(), users.hook_failed.value(), users.stood_in.value(),
                   users_->is_hook_up()};
  }
  if (const auto context = tls_.get()) numbers.certificate_not_after = context->not_after();
  const int reloaded = reload_succeeded_;
  if (reloaded >= 0) numbers.reload_succeeded = reloaded == 1;
  numbers.started = started_;
  numbers.process = process_.read();
  return numbers;
}

ConnectionTotals Service::connection_totals() const {
  ConnectionTotals totals;
  for (const auto& worker : workers_) {
    const StreamCounters& streams = worker->stream_counters();
    const DtlsCounters& dtls = worker->dtls_counters();
    totals.streams_open += streams.open;
    totals.dtls_open += dtls.open;
    totals.streams_accepted += streams.accepted;
    totals.handshakes_done += streams.tls_established + dtls.established;
    totals.handshakes_timed_out += streams.handshake_timed_out + dtls.handshake_timed_out;
    totals.handshakes_given_up += streams.dropped_half_open + dtls.dropped_half_open;
    totals.handshakes_refused += streams.refused_rate + dtls.refused_rate;
  }
  totals.http_open = signaling_->open_connections();
  return totals;
}

UnsentTotals Service::unsent_totals() const {
  UnsentTotals totals;
  for (const auto& worker : workers_) {
    totals.full += worker->send_stats().dropped_full;
    totals.refused += worker->send_stats().dropped_error;
    totals.slow_client += worker->stream_counters().dropped_full;
    totals.between_workers += worker->lost_mail();
  }
  return totals;
}

void Service::add_dtls_counters(std::vector<LogField>& fields) const {
  static constexpr std::pair<std::string_view, RelaxedCounter DtlsCounters::*> all[]{
      {"dtls_challenged", &DtlsCounters::challenged},
      {"dtls_accepted", &DtlsCounters::accepted},
      {"dtls_established", &DtlsCounters::established},
      {"dtls_replaced", &DtlsCounters::replaced},
      {"dtls_refused_rate", &DtlsCounters::refused_rate},
      {"dtls_refused_limit", &DtlsCounters::refused_limit},
      {"dtls_dropped_half_open", &DtlsCounters::dropped_half_open},
      {"dtls_handshake_timed_out", &DtlsCounters::handshake_timed_out},
      {"dtls_timed_out", &DtlsCounters::timed_out},
      {"dtls_failed", &DtlsCounters::failed},
      {"dtls_dropped_stray", &DtlsCounters::dropped_stray},
      {"dtls_dropped_too_large", &DtlsCounters::dropped_too_large}};
  for (const auto& [name, member] : all) {
    std::uint64_t total = 0;
    for (const auto& worker : workers_) total += worker->dtls_counters().*member;
    fields.emplace_back(name, total);
  }
}

}  // namespace turnpike::server
