// How workers speak to one another, and how they are spoken to: letters, collected for a turn and
// delivered together.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "auth/credential_book.h"
#include "base/endpoint.h"
#include "net/poller.h"
#include "server/stream_session.h"
#include "server/worker_order.h"
#include "turn/effects.h"
#include "turn/limits.h"
#include "turn/peer_policy.h"

namespace turnpike::server {

/// A datagram for a relay of the reader, from a relay of the writer (turn::Forward::ToNeighbour).
/// Its bytes are read with Mail::bytes_of().
struct PeerLetter {
  turn::RelayId relay;
  Endpoint from;
  std::size_t offset;
  std::size_t size;
};

/// A client's data connection for a connection to a peer that the reader has (turn::BindStreams).
struct StreamLetter {
  StreamSession client;
  turn::PeerConnectionId connection;
};

/// What came in at the writer from a client of the reader (turn::Forward::ToHome). The bytes
/// follow.
struct GuestLetter {
  turn::ClientFlow flow;
  std::size_t offset;
  std::size_t size;
};

/// What the writer has for a client of its that comes in at the reader. The bytes follow.
struct ClientLetter {
  FiveTuple client;
  turn::WorkerId home;  ///< the writer
  std::size_t offset;
  std::size_t size;
};

/// The writer has done with a client that came in at the reader (turn::ReleaseGuest).
struct GuestOverLetter {
  FiveTuple client;
  turn::WorkerId home;  ///< the writer
};

/// The connection of a client of the reader is gone (turn::ReportGone).
struct ClientGoneLetter {
  FiveTuple client;
};

/// What is known of a user now whom the reader has asked for (turn::AskForUser); nothing: nobody
/// could say, and whoever asks again may have more luck.
struct UserLetter {
  std::string username;
  std::optional<auth::UserAnswer> answer;
};

/// What UserLetters have said is not true any more.
struct ForgetUsersLetter {};

/// A user that the store has has other limits now.
struct UserLimitsLetter {
  std::string username;
  auth::UserLimits limits;
};

/// Other credentials hold from now on.
struct BookLetter {
  std::shared_ptr<const auth::CredentialBook> book;
};

/// Other limits and another peer policy hold from now on.
struct RulesLetter {
  turn::Limits limits;
  std::shared_ptr<const turn::PeerPolicy> policy;
};

/// Wants to know what the allocations from a slot on have used (LiveUsage).
struct LiveUsageLetter {
  std::uint32_t first_slot = 0;
};

using Letter = std::variant<PeerLetter, StreamLetter, GuestLetter, ClientLetter, GuestOverLetter,
                            ClientGoneLetter, UserLetter, ForgetUsersLetter, UserLimitsLetter,
                            BookLetter, OrderLetter, RulesLetter, LiveUsageLetter>;

/// Letters in the order in which they were written, and the bytes of all of them.
class Mail {
 public:
  void add_datagram(turn::RelayId relay, const Endpoint& from, ByteView payload);
  void add_stream(StreamLetter letter) { letters_.emplace_back(std::move(letter)); }
  void add_from_guest(const turn::ClientFlow& flow, ByteView datagram);
  /// The datagram is header, payload and so many zero bytes.
  void add_to_client(const FiveTuple& client, turn::WorkerId home, ByteView header,
                     ByteView payload, std::size_t padding_bytes);
  void add_guest_over(const FiveTuple& client, turn::WorkerId home) {
    letters_.emplace_back(GuestOverLetter{client, home});
  }
  void add_client_gone(const FiveTuple& client) { letters_.emplace_back(ClientGoneLetter{client}); }

  /// A letter that has no bytes.
  template <class AnyLetter>
  void add(AnyLetter letter) {
    letters_.emplace_back(std::move(letter));
  }

  [[nodiscard]] bool empty() const { return letters_.empty(); }
  [[nodiscard]] std::vector<Letter>& letters() { return letters_; }
  /// Valid until the mail is changed.
  template <class AnyLetter>
  [[nodiscard]] ByteView bytes_of(const AnyLetter& letter) const {
    return ByteView{bytes_}.subspan(letter.offset, letter.size);
  }
  [[nodiscard]] std::size_t byte_count() const { return bytes_.size(); }
  /// Takes over the letters of `other`, behind its own. `other` is empty then.
  void append(Mail& other);
  /// Keeps the memory for the next turn, unless it was a lot.
  void clear();

 private:
  std::vector<Letter> letters_;
  std::vector<std::uint8_t> bytes_;
};

/// Where one worker finds what the others have for it.
class Mailbox {
 public:
  /// More than this does not wait for a worker that does not come round to it.
  static constexpr std::size_t max_bytes = 4 << 20;

  /// deliver() ends the wait of `reader`. Call it before any thread delivers.
  void attach(net::Poller& reader) { reader_ = &reader; }
  /// Takes everything out of `mail`; from any thread. False when there was no room and all of it
  /// was thrown away, as a full socket buffer does with datagrams.
  [[nodiscard]] bool deliver(Mail& mail);
  /// Swaps what has come for `empty_mail`.
  void collect(Mail& empty_mail);

 private:
  std::mutex mutex_;
  Mail waiting_;
  net::Poller* reader_ = nullptr;
};

/// One mailbox for each worker, by WorkerId. They outlive the workers.
class Mailboxes {
 public:
  explicit Mailboxes(std::size_t workers) : boxes_(workers) {}
  [[nodiscard]] Mailbox& of(turn::WorkerId worker) {
    return boxes_.at(static_cast<std::size_t>(worker));
  }
  [[nodiscard]] std::size_t size() const { return boxes_.size(); }

  /// Writes the same letter, which has no bytes, to all workers; from any thread. Those that had no
  /// room for it, hardly ever any.
  template <class AnyLetter>
  std::vector<turn::WorkerId> tell_all(const AnyLetter& letter) {
    std::vector<turn::WorkerId> missed;
    for (std::size_t i = 0; i < boxes_.size(); ++i) {
      Mail mail;
      mail.add(letter);
      if (!boxes_[i].deliver(mail)) {
        missed.push_back(turn::WorkerId{static_cast<std::uint8_t>(i)});
      }
    }
    return missed;
  }

 private:
  std::deque<Mailbox> boxes_;
};

}  // namespace turnpike::server
