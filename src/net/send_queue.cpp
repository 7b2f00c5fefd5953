#include "net/send_queue.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/assert.h"
#include "net/socket_address.h"

namespace turnpike::net {
namespace {

constexpr std::size_t parts_max = 3;  // header, payload, padding
constexpr std::size_t padding_max = 3;
constexpr std::array<std::uint8_t, padding_max> padding{};

/// What the kernel puts into one train at most; newer ones would take 128 (UDP_MAX_SEGMENTS).
constexpr std::size_t train_length_max = 64;
/// Payload of one datagram in any case; a train is one until the network card takes it apart.
constexpr std::size_t train_bytes_max = 65507 - 40;
/// A train's datagrams must not need fragments. Ethernet's MTU, less the headers of IPv6 and UDP.
constexpr std::size_t train_datagram_max = 1500 - 40 - 8;

constexpr std::size_t control_bytes =
    CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(std::uint16_t));

struct alignas(cmsghdr) SendControl {
  std::array<std::uint8_t, control_bytes> bytes{};
};

/// Appends a control message to `control`, which `header` carries.
template <class Native>
void put_control(msghdr& header, SendControl& control, int level, int type,
                 const Native& contents) {
  cmsghdr message{};
  message.cmsg_level = level;
  message.cmsg_type = type;
  message.cmsg_len = CMSG_LEN(sizeof(Native));
  std::uint8_t* const end = control.bytes.data() + header.msg_controllen;
  std::memcpy(end, &message, sizeof message);
  std::memcpy(end + CMSG_LEN(0), &contents, sizeof contents);
  header.msg_control = control.bytes.data();
  header.msg_controllen += CMSG_SPACE(sizeof(Native));
  TURNPIKE_ASSERT(header.msg_controllen <= control_bytes);
}

void put_source(msghdr& header, SendControl& control, const LocalAddress& source) {
  const ByteView bytes = source.address.bytes();
  if (source.address.family() == Family::ipv4) {
    in_pktinfo contents{};
    std::memcpy(&contents.ipi_spec_dst, bytes.data(), sizeof contents.ipi_spec_dst);
    put_control(header, control, IPPROTO_IP, IP_PKTINFO, contents);
  } else {
    in6_pktinfo contents{};
    std::memcpy(&contents.ipi6_addr, bytes.data(), sizeof contents.ipi6_addr);
    contents.ipi6_ifindex = source.scope;
    put_control(header, control, IPPROTO_IPV6, IPV6_PKTINFO, contents);
  }
}

/// The kernel's type lacks the const; sendmmsg only reads.
iovec to_iovec(ByteView bytes) { return {const_cast<std::uint8_t*>(bytes.data()), bytes.size()}; }

int get_option(int descriptor, int level, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  getsockopt(descriptor, level, name, &value, &size);
  return value;
}

void set_option(int descriptor, int level, int name, int value) {
  // These cannot fail on a socket of the right family; if they did, DF would stay as it was.
  setsockopt(descriptor, level, name, &value, sizeof value);
}

/// Makes what a socket sends leave with DF=1 (IPv6: unfragmented) while it lives. PROBE rather than
/// DO: whether it fits the path is the client's to find out (RFC 8656 §18.9), not for a cache here.
class DontFragment {
 public:
  DontFragment(int descriptor, Family family)
      : descriptor_(descriptor),
        level_(family == Family::ipv4 ? IPPROTO_IP : IPPROTO_IPV6),
        discover_(family == Family::ipv4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER),
        before_(get_option(descriptor, level_, discover_)) {
    static_assert(IP_PMTUDISC_PROBE == IPV6_PMTUDISC_PROBE);
    set_option(descriptor_, level_, discover_, IP_PMTUDISC_PROBE);
    if (level_ == IPPROTO_IPV6) set_option(descriptor_, level_, IPV6_DONTFRAG, 1);
  }
  ~DontFragment() {
    set_option(descriptor_, level_, discover_, before_);
    if (level_ == IPPROTO_IPV6) set_option(descriptor_, level_, IPV6_DONTFRAG, 0);
  }
  DontFragment(const DontFragment&) = delete;
  DontFragment& operator=(const DontFragment&) = delete;

 private:
  int descriptor_;
  int level_;
  int discover_;
  int before_;
};

bool means_full(int error) { return error == EAGAIN || error == ENOBUFS || error == ENOMEM; }

/// How many of the `count` messages left; < 0: none, and errno says why the first did not.
int send(int descriptor, mmsghdr* messages, std::size_t count) {
  // One datagram in one piece, as most are, costs the kernel a tenth less to read this way.
  const msghdr& first = messages->msg_hdr;
  if (count == 1 && first.msg_iovlen == 1 && first.msg_controllen == 0) {
    const iovec& bytes = *first.msg_iov;
    const auto* const to = static_cast<const sockaddr*>(first.msg_name);
    const auto sent = sendto(descriptor, bytes.iov_base, bytes.iov_len, 0, to, first.msg_namelen);
    return sent < 0 ? -1 : 1;
  }
  if (count == 1) return sendmsg(descriptor, &first, 0) < 0 ? -1 : 1;
  return sendmmsg(descriptor, messages, static_cast<unsigned>(count), 0);
}

/// Linux 4.18 and later have trains. Older ones overlook UDP_SEGMENT and would send one huge
/// datagram.
bool kernel_has_trains() {
  const int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
  if (descriptor < 0) return false;
  int value = 0;
  socklen_t size = sizeof value;
  const bool is_known = getsockopt(descriptor, IPPROTO_UDP, UDP_SEGMENT, &value, &size) == 0;
  close(descriptor);
  return is_known;
}

}  // namespace

struct SendQueue::Entry {
  struct Route {
    SocketAddress to;
    IpAddress from_address;
    std::uint32_t from_scope = 0;
    bool set_from = false;
    bool dont_fragment = false;

    [[nodiscard]] bool is(const Route& other) const {
      return to == other.to && dont_fragment == other.dont_fragment && set_from == other.set_from &&
             (!set_from || (from_address == other.from_address && from_scope == other.from_scope));
    }
  };

  Route route;
  ByteView payload;
  SmallBytes<48> header;
  std::uint16_t next = 0;  // of the same port; meaningless in its last entry
  std::uint8_t padding_bytes = 0;
  bool has_last_route = false;  // that of the entry before it, as is known

  void set_bytes(ByteView header_bytes, ByteView payload_bytes, std::uint8_t padding_size) {
    TURNPIKE_ASSERT(padding_size <= padding_max);
    copy_bytes(header_bytes, header.resize(header_bytes.size()));
    payload = payload_bytes;
    padding_bytes = padding_size;
  }
  [[nodiscard]] std::size_t size() const { return header.size() + payload.size() + padding_bytes; }

  /// Begins the message that carries this datagram, and perhaps others after it.
  void describe_route(msghdr& message, SendControl& control) {
    message = {};
    message.msg_name = route.to.pointer();
    message.msg_namelen = route.to.size;
    if (route.set_from) put_source(message, control, {route.from_address, route.from_scope});
  }
  /// Writes at most parts_max of `parts`; how many.
  std::size_t describe_bytes(iovec* parts) const {
    std::size_t used = 0;
    if (!header.empty()) parts[used++] = to_iovec(header.view());
    if (!payload.empty()) parts[used++] = to_iovec(payload);
    if (padding_bytes != 0) parts[used++] = to_iovec(ByteView{padding}.first(padding_bytes));
    return used;
  }
};

/// Datagrams that leave as one message, or the only one of a message.
class SendQueue::Train {
 public:
  /// One that begins with `first`, and never grows unless `may_grow`.
  Train(const Entry& first, bool may_grow) : first_(first), datagram_bytes_(first.size()) {
    const bool is_fit = datagram_bytes_ > 0 && datagram_bytes_ <= train_datagram_max;
    if (may_grow && is_fit) {
      room_ = std::min(train_length_max, train_bytes_max / datagram_bytes_) - 1;
    }
  }

  /// Takes in `next`, which was queued after its last datagram, if it fits. Only the last of a
  /// train may be smaller than the others.
  [[nodiscard]] bool takes(const Entry& next) {
    const std::size_t bytes = next.size();
    if (room_ == 0 || bytes == 0 || bytes > datagram_bytes_) return false;
    if (!next.has_last_route && !next.route.is(first_.route)) return false;
    room_ = bytes == datagram_bytes_ ? room_ - 1 : 0;
    ++length_;
    return true;
  }

  [[nodiscard]] std::size_t length() const { return length_; }
  [[nodiscard]] std::size_t datagram_bytes() const { return datagram_bytes_; }

 private:
  const Entry& first_;
  std::size_t datagram_bytes_;  // of all but the last
  std::size_t length_ = 1;
  std::size_t room_ = 0;  // for so many more
};

/// What is handed to sendmmsg: a message for each datagram, or for each train of them.
struct SendQueue::Messages {
  std::array<mmsghdr, capacity> headers{};
  std::array<iovec, capacity * parts_max> parts{};
  std::array<SendControl, capacity> controls{};
  std::array<bool, capacity> dont_fragment{};
  std::array<std::uint16_t, capacity> first_entry{};
  std::array<std::uint16_t, capacity> length{};  // datagrams
  std::size_t count = 0;
  std::uint16_t refused = 0;  // the entry that a refused train began with

  /// A message to where `entry` goes; its bytes will stand in `bytes`.
  void begin(Entry& entry, std::uint16_t index, iovec* bytes) {
    entry.describe_route(headers[count].msg_hdr, controls[count]);
    headers[count].msg_hdr.msg_iov = bytes;
    dont_fragment[count] = entry.route.dont_fragment;
    first_entry[count] = index;
    ++count;
  }
  /// Lets the latest message carry `entry`, too; how many of `bytes` that takes.
  std::size_t add(const Entry& entry, iovec* bytes) {
    const std::size_t used = entry.describe_bytes(bytes);
    headers[count - 1].msg_hdr.msg_iovlen += used;
    return used;
  }
  /// The latest message carries all of `train`.
  void end(const Train& train) {
    const std::size_t at = count - 1;
    length[at] = static_cast<std::uint16_t>(train.length());
    if (train.length() == 1) return;
    put_control(headers[at].msg_hdr, controls[at], IPPROTO_UDP, UDP_SEGMENT,
                static_cast<std::uint16_t>(train.datagram_bytes()));
  }
};

SendQueue::SendQueue()
    : entries_(std::make_unique<Entry[]>(capacity)),
      messages_(std::make_unique<Messages>()),
      // Not make_unique: that would touch all of it.
      arena_(new std::uint8_t[arena_bytes]),
      sends_trains_(kernel_has_trains()) {}

SendQueue::~SendQueue() { drop_all(); }

bool SendQueue::queue(UdpPort& port, const Outgoing& outgoing) {
  const Family family = port.local().family();
  if (outgoing.to.family() != family ||
      (outgoing.set_from && outgoing.from_address.family() != family)) {
    ++stats_.dropped_error;
    return false;
  }
  const std::uint16_t index = take_entry();
  Entry& entry = entries_[index];
  entry.route.to = to_socket_address(outgoing.to);
  entry.route.from_address = outgoing.from_address;
  entry.route.from_scope = outgoing.from_scope;
  entry.route.set_from = outgoing.set_from;
  entry.route.dont_fragment = outgoing.dont_fragment;
  entry.has_last_route = false;
  entry.set_bytes(outgoing.header, outgoing.payload, outgoing.padding_bytes);
  append(port, index);
  return true;
}

void SendQueue::queue_next(UdpPort& port, ByteView header, ByteView payload,
                           std::uint8_t padding_bytes) {
  TURNPIKE_ASSERT(entries_used_ > 0);
  // A flush leaves the entries as they are.
  const Entry& last = entries_[entries_used_ - 1];
  const std::uint16_t index = take_entry();
  Entry& entry = entries_[index];
  entry.route = last.route;
  entry.has_last_route = true;
  entry.set_bytes(header, payload, padding_bytes);
  append(port, index);
}

std::uint16_t SendQueue::take_entry() {
  if (entries_used_ == capacity) flush();
  return static_cast<std::uint16_t>(entries_used_++);
}

void SendQueue::queue_copy(UdpPort& port, const Endpoint& to,
                           const std::optional<LocalAddress>& from, ByteView bytes) {
  TURNPIKE_ASSERT(bytes.size() <= arena_bytes);
  if (bytes.size() > arena_bytes - arena_used_ || entries_used_ == capacity) flush();
  const MutableByteView copy{arena_.get() + arena_used_, bytes.size()};
  copy_bytes(bytes, copy);
  arena_used_ += bytes.size();
  Outgoing outgoing;
  outgoing.to = to;
  if (from) {
    outgoing.set_from = true;
    outgoing.from_address = from->address;
    outgoing.from_scope = from->scope;
  }
  outgoing.payload = copy;
  queue(port, outgoing);
}

void SendQueue::append(UdpPort& port, std::uint16_t index) {
  TURNPIKE_ASSERT(port.waits_in_ == nullptr || port.waits_in_ == this);
  if (port.waits_in_ == nullptr) {
    port.waits_in_ = this;
    port.first_entry_ = index;
    ports_[ports_used_++] = &port;
  } else {
    entries_[port.last_entry_].next = index;
  }
  port.last_entry_ = index;
}

void SendQueue::flush() {
  for (std::size_t i = 0; i < ports_used_; ++i) send_port(*ports_[i]);
  drop_all();
}

void SendQueue::forget(UdpPort& port) {
  if (port.waits_in_ != this) return;
  port.waits_in_ = nullptr;
  // Its entries stay unused until the next flush; the other ports keep their order.
  const auto end = ports_.begin() + static_cast<std::ptrdiff_t>(ports_used_);
  const auto found = std::find(ports_.begin(), end, &port);
  std::copy(found + 1, end, found);
  --ports_used_;
  if (ports_used_ == 0) drop_all();
}

void SendQueue::drop_all() {
  for (std::size_t i = 0; i < ports_used_; ++i) ports_[i]->waits_in_ = nullptr;
  ports_used_ = entries_used_ = arena_used_ = 0;
}

/// Fills messages_ with the port's entries from `first` on.
void SendQueue::describe_entries(const UdpPort& port, std::uint16_t first, bool as_trains) {
  Messages& all = *messages_;
  all.count = 0;
  iovec* parts = all.parts.data();
  std::optional<Train> train;  // that the latest message carries
  for (std::uint16_t index = first;; index = entries_[index].next) {
    Entry& entry = entries_[index];
    if (!train || !train->takes(entry)) {
      if (train) all.end(*train);
      train.emplace(entry, as_trains);
      all.begin(entry, index, parts);
    }
    parts += all.add(entry, parts);
    if (index == port.last_entry_) break;
  }
  all.end(*train);
}

void SendQueue::send_port(const UdpPort& port) {
  describe_entries(port, port.first_entry_, sends_trains_);
  if (send_messages(port) != RunEnd::train_refused) return;
  const std::uint16_t refused = messages_->refused;
  describe_entries(port, refused, false);
  const RunEnd end = send_messages(port);
  TURNPIKE_ASSERT(end != RunEnd::train_refused);
}

SendQueue::RunEnd SendQueue::send_messages(const UdpPort& port) {
  Messages& all = *messages_;
  std::size_t next = 0;
  while (next < all.count) {
    std::size_t run_end = next + 1;
    while (run_end < all.count && all.dont_fragment[run_end] == all.dont_fragment[next]) ++run_end;
    std::optional<DontFragment> guard;
    if (all.dont_fragment[next]) guard.emplace(port.descriptor_, port.local_.family());
    const RunEnd end = send_run(port.descriptor_, next, run_end);
    if (end == RunEnd::train_refused) all.refused = all.first_entry[next];
    if (end == RunEnd::full) {
      for (; next < all.count; ++next) stats_.dropped_full += all.length[next];
    }
    if (end != RunEnd::all_gone) return end;
  }
  return RunEnd::all_gone;
}

/// Sends messages from `next` up to `end`; `next` is then where it stopped.
SendQueue::RunEnd SendQueue::send_run(int descriptor, std::size_t& next, std::size_t end) {
  Messages& all = *messages_;
  // Each failed attempt to send a big datagram with DF=1 makes the kernel queue one "too big" for
  // UdpPort::next_icmp. Sent one by one and without a second attempt, each makes just one.
  const bool singly = all.dont_fragment[next];
  bool failed_before = false;  // the message at `next`
  while (next < end) {
    const std::size_t wanted = singly ? 1 : end - next;
    const int result = send(descriptor, &all.headers[next], wanted);
    if (result > 0) {
      const std::size_t stop = next + static_cast<std::size_t>(result);
      failed_before = stop < next + wanted;  // it stops at a failure and does not tell which
      for (; next < stop; ++next) stats_.sent += all.length[next];
      continue;
    }
    const int error = errno;
    if (means_full(error)) return RunEnd::full;
    const bool is_train = all.length[next] > 1;
    const bool is_too_big = singly && error == EMSGSIZE;
    if (!failed_before && !is_too_big) {
      failed_before = true;  // perhaps an ICMP error about an earlier datagram, now taken
      continue;
    }
    if (is_train) {
      ++stats_.refused_trains;
      if (error == EIO) sends_trains_ = false;  // the card has no checksum offload
      return RunEnd::train_refused;
    }
    ++stats_.dropped_error;
    ++next;
    failed_before = false;
  }
  return RunEnd::all_gone;
}

}  // namespace turnpike::net
