// The floor: the way of a relayed packet through the kernel with nothing of TURN in it. epoll,
// recvmmsg and sendmmsg, one listening socket, one relay socket a client; with --gro whole trains
// at once. What any server costs above this is its own doing.

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <array>
#include <cstdio>
#include <cstring>
#include <deque>
#include <exception>
#include <string>
#include <system_error>
#include <unordered_map>
#include <vector>

#include "bench/forwarder_protocol.h"

namespace {

using turnpike::ByteView;
using turnpike::Endpoint;
using turnpike::IpAddress;

constexpr std::size_t batch_max = 64;
constexpr std::size_t slot_bytes = 65536;
constexpr int listener_buffer_bytes = 1024 * 1024;

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error{errno, std::generic_category(), what};
}

sockaddr_in to_native(const Endpoint& endpoint) {
  sockaddr_in native{};
  native.sin_family = AF_INET;
  native.sin_port = htons(endpoint.port);
  std::memcpy(&native.sin_addr, endpoint.address.bytes().data(), sizeof native.sin_addr);
  return native;
}

std::uint64_t key_of(const sockaddr_in& address) {
  return std::uint64_t{address.sin_addr.s_addr} << 16 | address.sin_port;
}

int open_socket(const Endpoint& local, bool gro) {
  const int descriptor = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) fail("socket");
  const sockaddr_in native = to_native(local);
  if (::bind(descriptor, reinterpret_cast<const sockaddr*>(&native), sizeof native) != 0) {
    fail("bind " + local.to_string());
  }
  const int on = 1;
  if (gro && ::setsockopt(descriptor, SOL_UDP, UDP_GRO, &on, sizeof on) != 0) fail("UDP_GRO");
  return descriptor;
}

/// What recvmmsg filled in, turned into what sendmmsg takes.
struct Batch {
  std::vector<std::uint8_t> memory = std::vector<std::uint8_t>(batch_max * slot_bytes);
  std::array<mmsghdr, batch_max> headers{};
  std::array<iovec, batch_max> buffers{};
  std::array<sockaddr_in, batch_max> addresses{};
  struct alignas(cmsghdr) Control {
    std::array<std::uint8_t, CMSG_SPACE(sizeof(int))> bytes;
  };
  std::array<Control, batch_max> controls{};
  std::size_t count = 0;

  void receive(int descriptor, bool gro) {
    for (std::size_t i = 0; i < batch_max; ++i) {
      buffers[i] = {memory.data() + i * slot_bytes, slot_bytes};
      msghdr& header = headers[i].msg_hdr;
      header = {};
      header.msg_name = &addresses[i];
      header.msg_namelen = sizeof addresses[i];
      header.msg_iov = &buffers[i];
      header.msg_iovlen = 1;
      if (gro) {
        header.msg_control = controls[i].bytes.data();
        header.msg_controllen = controls[i].bytes.size();
      }
    }
    const int received = ::recvmmsg(descriptor, headers.data(), batch_max, 0, nullptr);
    count = received < 0 ? 0 : static_cast<std::size_t>(received);
  }

  [[nodiscard]] ByteView bytes(std::size_t index) const {
    return {memory.data() + index * slot_bytes, headers[index].msg_len};
  }

  /// Makes number `index` ready to go to `to` as it came, train or not.
  void readdress(std::size_t index, const sockaddr_in& to) {
    msghdr& header = headers[index].msg_hdr;
    buffers[index].iov_len = headers[index].msg_len;
    addresses[index] = to;
    const cmsghdr* const control = CMSG_FIRSTHDR(&header);
    int segment_bytes = 0;
    if (control != nullptr && control->cmsg_type == UDP_GRO) {
      std::memcpy(&segment_bytes, CMSG_DATA(control), sizeof segment_bytes);
    }
    header.msg_control = nullptr;
    header.msg_controllen = 0;
    header.msg_flags = 0;
    if (segment_bytes == 0 || static_cast<unsigned>(segment_bytes) >= headers[index].msg_len)
      return;
    const auto size = static_cast<std::uint16_t>(segment_bytes);
    cmsghdr head{};
    head.cmsg_level = SOL_UDP;
    head.cmsg_type = UDP_SEGMENT;
    head.cmsg_len = CMSG_LEN(sizeof size);
    std::memcpy(controls[index].bytes.data(), &head, sizeof head);
    std::memcpy(controls[index].bytes.data() + CMSG_LEN(0), &size, sizeof size);
    header.msg_control = controls[index].bytes.data();
    header.msg_controllen = CMSG_SPACE(sizeof size);
  }

  /// Sends those from `first` on, `how_many` of them. What the kernel refuses is lost.
  void send(int descriptor, std::size_t first, std::size_t how_many) {
    while (how_many > 0) {
      const int sent = ::sendmmsg(descriptor, &headers[first], static_cast<unsigned>(how_many), 0);
      const std::size_t done = sent > 0 ? static_cast<std::size_t>(sent) : 1;
      first += done;
      how_many -= done;
    }
  }
};

class Forwarder {
 public:
  Forwarder(const Endpoint& listen, bool gro)
      : address_(listen.address),
        gro_(gro),
        listener_(open_socket(listen, gro)),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    ::setsockopt(listener_, SOL_SOCKET, SO_RCVBUF, &listener_buffer_bytes,
                 sizeof listener_buffer_bytes);
    watch(listener_, listener_token);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 256> events{};
    for (;;) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) {
        const std::uint64_t token = events[static_cast<std::size_t>(i)].data.u64;
        if (token == listener_token) {
          from_clients();
        } else {
          from_peers(relays_[token]);
        }
      }
    }
  }

 private:
  static constexpr std::uint64_t listener_token = ~std::uint64_t{0};
  struct Relay {
    int descriptor;
    sockaddr_in client;
    sockaddr_in peer;
  };

  void watch(int descriptor, std::uint64_t token) const {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = token;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0) fail("epoll_ctl");
  }

  void from_clients() {
    batch_.receive(listener_, gro_);
    std::size_t first = 0;           // those from here on go out together…
    const Relay* current = nullptr;  // …from this relay
    for (std::size_t i = 0; i <= batch_.count; ++i) {
      const Relay* relay = i < batch_.count ? relay_for(i) : nullptr;
      if (relay == current && i < batch_.count) {
        if (relay != nullptr) batch_.readdress(i, relay->peer);
        continue;
      }
      if (current != nullptr) batch_.send(current->descriptor, first, i - first);
      if (relay != nullptr) batch_.readdress(i, relay->peer);
      current = relay;
      first = i;
    }
  }

  /// The relay of the client that sent number `index`; null for strangers and for a request, which
  /// is answered here.
  const Relay* relay_for(std::size_t index) {
    if (const auto request = turnpike::bench::read_forwarder_message(batch_.bytes(index))) {
      answer(*request, batch_.addresses[index]);
      return nullptr;
    }
    const auto found = by_client_.find(key_of(batch_.addresses[index]));
    return found == by_client_.end() ? nullptr : &relays_[found->second];
  }

  void answer(const turnpike::bench::ForwarderMessage& request, const sockaddr_in& client) {
    const auto [place, is_new] = by_client_.try_emplace(key_of(client), relays_.size());
    if (is_new) {
      const int descriptor = open_socket({address_, 0}, gro_);
      watch(descriptor, relays_.size());
      relays_.push_back({descriptor, client, {}});
    }
    Relay& relay = relays_[place->second];
    relay.peer = to_native(request.endpoint);
    sockaddr_in own{};
    socklen_t size = sizeof own;
    ::getsockname(relay.descriptor, reinterpret_cast<sockaddr*>(&own), &size);
    const auto reply = turnpike::bench::to_bytes({request.number, {address_, ntohs(own.sin_port)}});
    ::sendto(listener_, reply.data(), reply.size(), 0, reinterpret_cast<const sockaddr*>(&client),
             sizeof client);
  }

  void from_peers(const Relay& relay) {
    batch_.receive(relay.descriptor, gro_);
    for (std::size_t i = 0; i < batch_.count; ++i) batch_.readdress(i, relay.client);
    batch_.send(listener_, 0, batch_.count);
  }

  IpAddress address_;
  bool gro_;
  int listener_;
  int epoll_;
  Batch batch_;
  std::deque<Relay> relays_;  // places stay
  std::unordered_map<std::uint64_t, std::size_t> by_client_;
};

int run(int count, char** arguments) {
  CLI::App app{"Forwards datagrams between clients and peers, with nothing of TURN."};
  std::string listen;
  bool gro = false;
  app.add_option("--listen", listen, "ADDRESS:PORT, IPv4")->required();
  app.add_flag("--gro", gro, "Receive and send whole trains");
  CLI11_PARSE(app, count, arguments);
  const auto endpoint = Endpoint::parse(listen);
  if (!endpoint || endpoint->family() != turnpike::Family::ipv4) {
    std::fprintf(stderr, "--listen: %s is no IPv4 address and port\n", listen.c_str());
    return 2;
  }
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  Forwarder{*endpoint, gro}.run();
}

}  // namespace

int main(int count, char** arguments) {
  try {
    return run(count, arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "turnpike_forwarder: %s\n", error.what());
    return 1;
  }
}
