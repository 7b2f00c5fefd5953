// Records of ended allocations, in SQLite.
#include "store/sqlite_store.h"

namespace turnpike::store {
namespace {

std::vector<UsageRecord> records_in(Rows rows) {
  std::vector<UsageRecord> records;
  while (rows.next()) {
    records.push_back({.allocation = rows.text(0),
                       .username = rows.text(1),
                       .account = rows.text(2),
                       .client = rows.text(3),
                       .started = rows.time(4),
                       .ended = rows.time(5),
                       .packets_to_peer = rows.count(6),
                       .bytes_to_peer = rows.count(7),
                       .packets_to_client = rows.count(8),
                       .bytes_to_client = rows.count(9),
                       .reason = rows.text(10)});
  }
  return records;
}

}  // namespace

Stored<void> SqliteStore::append_usage(std::span<const UsageRecord> records) {
  return changing([&] {
    for (const UsageRecord& record : records) {
      database_->run(
          "INSERT INTO usage (allocation, username, account, client, started, ended, "
          "packets_to_peer, bytes_to_peer, packets_to_client, bytes_to_client, reason) "
          "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
          record.allocation, record.username, record.account, record.client, record.started,
          record.ended, record.packets_to_peer, record.bytes_to_peer, record.packets_to_client,
          record.bytes_to_client, record.reason);
      database_->run("DELETE FROM usage_live WHERE allocation = ?1", record.allocation);
    }
  });
}

Stored<void> SqliteStore::note_live_usage(std::span<const UsageRecord> records) {
  return changing([&] {
    for (const UsageRecord& record : records) {
      database_->run(
          "INSERT OR REPLACE INTO usage_live (allocation, username, account, client, started, "
          "seen, packets_to_peer, bytes_to_peer, packets_to_client, bytes_to_client) "
          "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
          record.allocation, record.username, record.account, record.client, record.started,
          record.ended, record.packets_to_peer, record.bytes_to_peer, record.packets_to_client,
          record.bytes_to_client);
    }
  });
}

Stored<std::size_t> SqliteStore::settle_live_usage() {
  return changing([&] {
    const std::size_t settled = database_->run(
        "INSERT INTO usage (allocation, username, account, client, started, ended, "
        "packets_to_peer, bytes_to_peer, packets_to_client, bytes_to_client, reason) "
        "SELECT allocation, username, account, client, started, seen, packets_to_peer, "
        "bytes_to_peer, packets_to_client, bytes_to_client, ?1 FROM usage_live ORDER BY seen",
        crashed);
    database_->run("DELETE FROM usage_live");
    return settled;
  });
}

Stored<std::vector<UsageRecord>> SqliteStore::usage(const TimeSpan& span, std::string_view account,
                                                    std::size_t offset, std::size_t limit) {
  return alone([&] {
    if (account.empty()) {
      return records_in(database_->query(
          "SELECT allocation, username, account, client, started, ended, packets_to_peer, "
          "bytes_to_peer, packets_to_client, bytes_to_client, reason FROM usage "
          "WHERE ended >= ?1 AND ended < ?2 ORDER BY ended DESC, number DESC LIMIT ?3 OFFSET ?4",
          span.from, span.to, limit, offset));
    }
    return records_in(database_->query(
        "SELECT allocation, username, account, client, started, ended, packets_to_peer, "
        "bytes_to_peer, packets_to_client, bytes_to_client, reason FROM usage "
        "WHERE account = ?5 AND ended >= ?1 AND ended < ?2 "
        "ORDER BY ended DESC, number DESC LIMIT ?3 OFFSET ?4",
        span.from, span.to, limit, offset, account));
  });
}

Stored<std::vector<UsageSum>> SqliteStore::usage_by_account(const TimeSpan& span,
                                                            std::size_t limit) {
  return alone([&] {
    std::vector<UsageSum> sums;
    Rows rows = database_->query(
        "SELECT account, count(*), sum(ended - started), sum(packets_to_peer), sum(bytes_to_peer), "
        "sum(packets_to_client), sum(bytes_to_client) FROM usage WHERE ended >= ?1 AND ended < ?2 "
        "GROUP BY account ORDER BY sum(bytes_to_peer + bytes_to_client) DESC, account LIMIT ?3",
        span.from, span.to, limit);
    while (rows.next()) {
      sums.push_back({.account = rows.text(0),
                      .allocations = rows.count(1),
                      .duration = seconds{rows.integer(2)},
                      .packets_to_peer = rows.count(3),
                      .bytes_to_peer = rows.count(4),
                      .packets_to_client = rows.count(5),
                      .bytes_to_client = rows.count(6)});
    }
    return sums;
  });
}

Stored<std::size_t> SqliteStore::remove_usage_before(WallTime end) {
  return changing([&] { return database_->run("DELETE FROM usage WHERE ended < ?1", end); });
}

}  // namespace turnpike::store
