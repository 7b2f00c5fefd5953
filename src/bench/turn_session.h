// One client of the load: makes an allocation, binds its peer, deletes it. Messages and the time
// in, messages out; the sockets are bench/links.h.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "bench/framing.h"
#include "client/long_term.h"
#include "client/transaction.h"

namespace turnpike::bench {

/// Why a request failed.
struct SessionFailure {
  enum class Kind : std::uint8_t {
    silence,      ///< no answer
    credentials,  ///< name or password is wrong
    refused,      ///< any other error response
    nonsense,     ///< an answer without what it must have
  };
  Kind kind = Kind::silence;
  std::string text;  ///< "486 Allocation Quota Reached", …
};

/// The number of the session whose request has this transaction id. All sessions of a run carry
/// theirs in it, so that answers find them whatever socket they come to.
[[nodiscard]] std::uint32_t session_number(const stun::TransactionId& id);

/// A STUN message of the server, and the number of the session that it is for.
struct SessionMessage {
  std::size_t session;
  stun::MessageView message;
};

/// `bytes` as a message to one of so many `sessions`; nothing when they are something else. Points
/// into `bytes`.
[[nodiscard]] std::optional<SessionMessage> message_to_session(ByteView bytes,
                                                               std::size_t sessions);

/// One request at a time. After a begin_…() send request(); then feed what comes.
class TurnSession {
 public:
  enum class Step : std::uint8_t {
    wait,    ///< nothing to do
    send,    ///< send request()
    done,    ///< what was begun has succeeded
    failed,  ///< see failure()
  };

  /// `random` outlives the session. `user` may know the server's challenge already.
  TurnSession(std::uint32_t number, client::LongTermClient user, Random& random);

  /// A Binding request.
  void begin_binding(Instant now);
  /// An allocation for UDP. `is_stranger`: the first request carries no credentials, so that the
  /// server challenges it, as it does with every new client.
  void begin_allocate(bool is_stranger, Family family, Instant now);
  /// Makes what the framing needs to exchange data with `peer`: a channel, or a permission.
  void begin_bind(Framing framing, const Endpoint& peer, Instant now);
  /// Keeps the allocation, for as long as the server lets it live without being told.
  void begin_refresh(Instant now);
  /// Deletes the allocation.
  void begin_delete(Instant now);

  /// The bytes to send; valid until the next call of a function that is not const.
  [[nodiscard]] ByteView request() const { return ByteView{buffer_}.first(size_); }
  [[nodiscard]] Step on_message(const stun::MessageView& message, Instant now);
  [[nodiscard]] Step on_deadline(Instant now);
  [[nodiscard]] std::optional<Instant> next_deadline() const {
    return transaction_.next_deadline();
  }
  [[nodiscard]] bool is_busy() const { return next_deadline().has_value(); }

  /// The allocation's relayed address. Meaningless before there is one.
  [[nodiscard]] const Endpoint& relayed() const { return relayed_; }
  [[nodiscard]] bool has_allocation() const { return has_allocation_; }
  [[nodiscard]] const SessionFailure& failure() const { return failure_; }
  /// Requests that had to be sent again because no answer came in time.
  [[nodiscard]] std::uint64_t retransmissions() const { return retransmissions_; }
  /// Knows the server's challenge after the first request that needed it.
  [[nodiscard]] const client::LongTermClient& user() const { return user_; }

 private:
  enum class Task : std::uint8_t { binding, allocate, permission, channel, refresh, remove };

  void begin(Task task, Instant now);
  void write_request(Instant now);
  [[nodiscard]] stun::Method method() const;
  [[nodiscard]] Step on_success(const stun::MessageView& message);
  [[nodiscard]] Step on_error(const stun::MessageView& message, Instant now);
  [[nodiscard]] Step fail(SessionFailure::Kind kind, std::string text);

  std::uint32_t number_;
  client::LongTermClient user_;
  Random& random_;
  Task task_ = Task::binding;
  bool is_signed_ = false;
  bool has_allocation_ = false;
  Family family_ = Family::ipv4;
  unsigned challenges_ = 0;  // answered by this task
  Endpoint peer_;
  Endpoint relayed_;
  client::Transaction transaction_;
  std::uint64_t retransmissions_ = 0;
  SessionFailure failure_;
  std::array<std::uint8_t, 3072> buffer_;  // REALM and NONCE may have 763 bytes each
  std::size_t size_ = 0;
};

}  // namespace turnpike::bench
