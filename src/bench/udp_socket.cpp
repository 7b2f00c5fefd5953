#include "bench/udp_socket.h"

#include <netinet/udp.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

#include "base/assert.h"

namespace turnpike::bench {
namespace {

constexpr std::size_t slots_count = 32;
constexpr std::size_t slot_bytes = 65536;
constexpr int buffer_bytes = 16 * 1024 * 1024;

constexpr std::size_t control_bytes = CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(int));

Failure<std::string> system_error(const std::string& what) {
  return Failure<std::string>{what + ": " + std::generic_category().message(errno)};
}

void set_option(int descriptor, int level, int name, int value) {
  // Best effort: without it the load is slower, or the report says what is missing.
  ::setsockopt(descriptor, level, name, &value, sizeof value);
}

/// As much as the kernel gives: beyond the system's limit only for the privileged.
void enlarge_buffers(int descriptor) {
  set_option(descriptor, SOL_SOCKET, SO_RCVBUF, buffer_bytes);
  set_option(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, buffer_bytes);
  set_option(descriptor, SOL_SOCKET, SO_SNDBUF, buffer_bytes);
  set_option(descriptor, SOL_SOCKET, SO_SNDBUFFORCE, buffer_bytes);
}

template <class Native>
void put_control(msghdr& header, int level, int type, const Native& value) {
  auto* const start = static_cast<std::uint8_t*>(header.msg_control) + header.msg_controllen;
  cmsghdr head{};
  head.cmsg_level = level;
  head.cmsg_type = type;
  head.cmsg_len = CMSG_LEN(sizeof value);
  std::memcpy(start, &head, sizeof head);
  std::memcpy(start + CMSG_LEN(0), &value, sizeof value);
  header.msg_controllen += CMSG_SPACE(sizeof value);
}

void put_source(msghdr& header, const IpAddress& from) {
  const ByteView bytes = from.bytes();
  if (from.family() == Family::ipv4) {
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, bytes.data(), bytes.size());
    put_control(header, IPPROTO_IP, IP_PKTINFO, info);
  } else {
    in6_pktinfo info{};
    std::memcpy(&info.ipi6_addr, bytes.data(), bytes.size());
    put_control(header, IPPROTO_IPV6, IPV6_PKTINFO, info);
  }
}

template <class Native>
Native contents_of(const cmsghdr& control) {
  Native value;
  std::memcpy(&value, CMSG_DATA(&control), sizeof value);
  return value;
}

void read_controls(msghdr& header, IncomingTrain& train) {
  for (const cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr;
       c = CMSG_NXTHDR(&header, const_cast<cmsghdr*>(c))) {
    if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
      train.segment_bytes = static_cast<std::size_t>(contents_of<int>(*c));
    } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
      train.to = net::to_address(contents_of<in_pktinfo>(*c).ipi_addr);
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
      train.to = net::to_address(contents_of<in6_pktinfo>(*c).ipi6_addr);
    }
  }
}

}  // namespace

/// What sendmmsg or recvmmsg work on.
struct UdpBuffers::Slots {
  struct alignas(cmsghdr) Control {
    std::array<std::uint8_t, control_bytes> bytes;
  };

  std::vector<std::uint8_t> memory = std::vector<std::uint8_t>(slots_count * slot_bytes);
  std::array<mmsghdr, slots_count> headers{};
  std::array<iovec, slots_count> buffers{};
  std::array<net::SocketAddress, slots_count> addresses{};
  std::array<Control, slots_count> controls{};
  std::array<IncomingTrain, slots_count> trains{};

  [[nodiscard]] MutableByteView slot(std::size_t index) {
    return MutableByteView{memory}.subspan(index * slot_bytes, slot_bytes);
  }

  /// A header with all its room.
  msghdr& prepare(std::size_t index) {
    msghdr& header = headers[index].msg_hdr;
    header = {};
    addresses[index].size = sizeof(sockaddr_in6);
    buffers[index] = {slot(index).data(), slot_bytes};
    header.msg_name = addresses[index].pointer();
    header.msg_namelen = addresses[index].size;
    header.msg_iov = &buffers[index];
    header.msg_iovlen = 1;
    header.msg_control = controls[index].bytes.data();
    header.msg_controllen = control_bytes;
    return header;
  }
};

UdpBuffers::UdpBuffers() : out_(std::make_unique<Slots>()), in_(std::make_unique<Slots>()) {}
UdpBuffers::~UdpBuffers() = default;

void UdpBuffers::flush() {
  std::size_t sent = 0;
  while (sent < added_) {
    const int count =
        ::sendmmsg(descriptor_, &out_->headers[sent], static_cast<unsigned>(added_ - sent), 0);
    if (count > 0) {
      sent += static_cast<std::size_t>(count);
    } else if (errno == EAGAIN || errno == ENOBUFS) {
      pollfd waiting{descriptor_, POLLOUT, 0};
      ::poll(&waiting, 1, 10);
    } else if (errno != EINTR) {
      ++sent;  // refused for good, or by an ICMP error about an earlier one
    }
  }
  added_ = 0;
}

Result<UdpSocket, std::string> UdpSocket::open(const UdpSocketOptions& options,
                                               UdpBuffers& buffers) {
  const Family family = options.bind.family();
  const int descriptor =
      ::socket(net::native_family(family), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return system_error("a socket");
  UdpSocket opened{descriptor, options, buffers};
  enlarge_buffers(descriptor);
  set_option(descriptor, SOL_UDP, UDP_GRO, 1);
  if (options.tells_destination) {
    const bool is_v4 = family == Family::ipv4;
    set_option(descriptor, is_v4 ? IPPROTO_IP : IPPROTO_IPV6, is_v4 ? IP_PKTINFO : IPV6_RECVPKTINFO,
               1);
  }
  net::SocketAddress address = net::to_socket_address(options.bind);
  if (::bind(descriptor, address.pointer(), address.size) != 0 ||
      ::getsockname(descriptor, address.pointer(), &address.size) != 0) {
    return system_error(options.bind.to_string());
  }
  opened.local_ = net::to_endpoint(address);
  return opened;
}

UdpSocket::~UdpSocket() {
  if (descriptor_ < 0) return;
  if (buffers_->descriptor_ == descriptor_) buffers_->added_ = 0;
  ::close(descriptor_);
}

UdpSocket::UdpSocket(UdpSocket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      local_(other.local_),
      buffers_(other.buffers_) {}

UdpSocket& UdpSocket::operator=(UdpSocket&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(local_, other.local_);
  std::swap(buffers_, other.buffers_);
  return *this;
}

MutableByteView UdpSocket::add(const net::SocketAddress& to, std::size_t bytes,
                               std::size_t segment_bytes, std::optional<IpAddress> from) {
  TURNPIKE_ASSERT(bytes <= train_bytes_max);
  UdpBuffers& buffers = *buffers_;
  if (buffers.added_ == slots_count || buffers.descriptor_ != descriptor_) flush();
  buffers.descriptor_ = descriptor_;
  const std::size_t index = buffers.added_++;
  UdpBuffers::Slots& out = *buffers.out_;
  msghdr& header = out.prepare(index);
  out.addresses[index] = to;
  out.buffers[index].iov_len = bytes;
  header.msg_namelen = to.size;
  header.msg_controllen = 0;
  if (from) put_source(header, *from);
  if (segment_bytes < bytes) {
    put_control(header, SOL_UDP, UDP_SEGMENT, static_cast<std::uint16_t>(segment_bytes));
  }
  if (header.msg_controllen == 0) header.msg_control = nullptr;
  return out.slot(index).first(bytes);
}

std::span<const IncomingTrain> UdpSocket::receive() {
  UdpBuffers::Slots& in = *buffers_->in_;
  for (std::size_t i = 0; i < slots_count; ++i) in.prepare(i);
  const int count = ::recvmmsg(descriptor_, in.headers.data(), slots_count, 0, nullptr);
  if (count <= 0) return {};
  const auto received = static_cast<std::size_t>(count);
  for (std::size_t i = 0; i < received; ++i) {
    msghdr& header = in.headers[i].msg_hdr;
    IncomingTrain& train = in.trains[i];
    train.bytes = in.slot(i).first(in.headers[i].msg_len);
    train.segment_bytes = std::max<std::size_t>(train.bytes.size(), 1);
    train.from = in.addresses[i];
    train.from.size = header.msg_namelen;
    train.to = local_.address;
    read_controls(header, train);
  }
  return std::span{in.trains}.first(received);
}

}  // namespace turnpike::bench
