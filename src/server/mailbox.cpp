#include "server/mailbox.h"

#include "base/assert.h"

namespace turnpike::server {
namespace {

constexpr std::size_t kept_bytes = 64 * 1024;  // of an empty mail; more is given back

/// Makes room in front of the letter's bytes.
struct MoveBytes {
  std::size_t by;

  template <class AnyLetter>
  void operator()(AnyLetter& letter) const {
    if constexpr (requires { letter.offset; }) letter.offset += by;
  }
};

}  // namespace

void Mail::add_datagram(turn::RelayId relay, const Endpoint& from, ByteView payload) {
  letters_.emplace_back(PeerLetter{relay, from, bytes_.size(), payload.size()});
  bytes_.insert(bytes_.end(), payload.begin(), payload.end());
}

void Mail::add_from_guest(const turn::ClientFlow& flow, ByteView datagram) {
  letters_.emplace_back(GuestLetter{flow, bytes_.size(), datagram.size()});
  bytes_.insert(bytes_.end(), datagram.begin(), datagram.end());
}

void Mail::add_to_client(const FiveTuple& client, turn::WorkerId home, ByteView header,
                         ByteView payload, std::size_t padding_bytes) {
  const std::size_t size = header.size() + payload.size() + padding_bytes;
  letters_.emplace_back(ClientLetter{client, home, bytes_.size(), size});
  bytes_.insert(bytes_.end(), header.begin(), header.end());
  bytes_.insert(bytes_.end(), payload.begin(), payload.end());
  bytes_.resize(bytes_.size() + padding_bytes);
}

void Mail::append(Mail& other) {
  for (Letter& letter : other.letters_) {
    std::visit(MoveBytes{bytes_.size()}, letter);
    letters_.push_back(std::move(letter));
  }
  bytes_.insert(bytes_.end(), other.bytes_.begin(), other.bytes_.end());
  other.clear();
}

void Mail::clear() {
  letters_.clear();
  bytes_.clear();
  if (bytes_.capacity() <= kept_bytes) return;
  letters_.shrink_to_fit();
  bytes_.shrink_to_fit();
}

bool Mailbox::deliver(Mail& mail) {
  {
    const std::lock_guard lock{mutex_};
    const bool was_empty = waiting_.empty();
    if (!was_empty && waiting_.byte_count() + mail.byte_count() > max_bytes) {
      mail.clear();
      return false;
    }
    if (was_empty) {
      std::swap(waiting_, mail);
    } else {
      waiting_.append(mail);
    }
    if (!was_empty) return true;  // whoever was first has woken the reader
  }
  TURNPIKE_ASSERT(reader_ != nullptr);
  reader_->wake();
  return true;
}

void Mailbox::collect(Mail& empty_mail) {
  const std::lock_guard lock{mutex_};
  std::swap(waiting_, empty_mail);
}

}  // namespace turnpike::server
