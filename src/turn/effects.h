// What the core wants done: values that the shell carries out. The core itself does nothing.
#pragma once

#include <optional>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "base/endpoint.h"
#include "stun/attributes.h"
#include "turn/allocation_view.h"
#include "turn/ids.h"
#include "turn/peer_policy.h"
#include "turn/reason.h"

namespace turnpike::turn {

/// A client's conversation, and the socket it runs over: `listener` of `worker`. That is another
/// worker than the one that has the allocation when the client has moved there (RFC 8016).
struct ClientFlow {
  FiveTuple tuple;
  ListenerId listener{};
  WorkerId worker{};
  /// The balancer that brings the client's datagrams and takes the answers (PROXY protocol over
  /// UDP). Not part of the conversation's name: it may change while that goes on.
  std::optional<Endpoint> through{};

  /// Where a datagram to the client is to be sent.
  [[nodiscard]] const Endpoint& reply_to() const { return through ? *through : tuple.client; }
};

/// "Send header, payload and padding as one datagram." The payload is still inside the input; it is
/// never copied. The header is empty, a ChannelData header, or the start of a Data indication.
///
/// Made where it is returned, in Handled, and not moved from there: copying what was written a
/// moment ago costs more than all checks of a packet (docs/benchmarks.md).
class Forward {
 public:
  using Header = SmallBytes<48>;

  /// Out of relay socket `via` to a peer that the policy let through.
  struct ToPeer {
    ToPeer(RelayId via_relay, const PermittedPeer& peer, bool with_dont_fragment)
        : via(via_relay), to(peer.endpoint()), dont_fragment(with_dont_fragment) {}
    RelayId via;
    Endpoint to;
    bool dont_fragment;  ///< set DF on this datagram (RFC 8656 §14)
  };

  /// To a relay of another worker, as if it had been sent there from `from`: hand it to that
  /// worker's Server::on_peer_datagram.
  struct ToNeighbour {
    RelayPlace to;
    Endpoint from;  ///< the relayed address of the sender
  };

  /// What came from a client of another worker, whole: hand it to that worker's
  /// Server::on_client_datagram, with this flow.
  struct ToHome {
    WorkerId home;
    ClientFlow from;
  };

  /// The channel that it came or goes over.
  struct Over {
    std::uint32_t slot;  ///< of the allocation
    stun::ChannelNumber channel;
  };

  Forward(const ToPeer& route, ByteView payload)
      : route_(std::in_place_type<ToPeer>, route), payload_(payload) {}
  Forward(const ToNeighbour& route, ByteView payload)
      : route_(std::in_place_type<ToNeighbour>, route), payload_(payload) {}
  Forward(const ToHome& route, ByteView datagram)
      : route_(std::in_place_type<ToHome>, route), payload_(datagram) {}
  /// To a client, with no header yet.
  Forward(const ClientFlow& flow, ByteView payload, std::uint8_t padding_bytes)
      : route_(std::in_place_type<ClientFlow>, flow),
        payload_(payload),
        padding_bytes_(padding_bytes) {}

  /// The header, for writing, of this size from now on. Precondition: size <= 48.
  [[nodiscard]] MutableByteView make_header(std::size_t size) { return header_.resize(size); }
  void set_channel(const Over& over) { over_ = over; }
  /// Another payload for the same way.
  void set_payload(ByteView payload, std::uint8_t padding_bytes) {
    payload_ = payload;
    padding_bytes_ = padding_bytes;
  }

  /// Where it goes, if it goes to a peer.
  [[nodiscard]] const ToPeer* peer_route() const { return std::get_if<ToPeer>(&route_); }
  /// Where it goes, if it goes to another worker.
  [[nodiscard]] const ToNeighbour* neighbour_route() const {
    return std::get_if<ToNeighbour>(&route_);
  }
  /// Where it goes, if it goes to the worker that has the client's allocation.
  [[nodiscard]] const ToHome* home_route() const { return std::get_if<ToHome>(&route_); }
  /// Where it goes, if it goes to a client.
  [[nodiscard]] const ClientFlow* client_route() const { return std::get_if<ClientFlow>(&route_); }
  /// Nothing: no channel, or more than one.
  [[nodiscard]] const std::optional<Over>& channel() const { return over_; }
  [[nodiscard]] const Header& header() const { return header_; }
  /// Valid while the input that was handed in is.
  [[nodiscard]] ByteView payload() const { return payload_; }
  /// Zero bytes to add at the end, 0..3.
  [[nodiscard]] std::uint8_t padding_bytes() const { return padding_bytes_; }

 private:
  std::variant<ToPeer, ToNeighbour, ToHome, ClientFlow> route_;
  std::optional<Over> over_;
  Header header_;
  ByteView payload_;
  std::uint8_t padding_bytes_ = 0;
};

/// What became of one datagram, and the payload to pass on if any.
struct Handled {
  Reason reason;
  std::optional<Forward> forward;

  Handled(Reason r)
      : reason(r) {}  // NOLINT(google-explicit-constructor): most handlers return only this
  /// With a Forward made of `parts`.
  template <class... Parts>
  Handled(Reason r, const Parts&... parts) : reason(r), forward(std::in_place, parts...) {}
};

/// Send these bytes to a client; `bytes` is read with Effects::bytes_of().
struct SendToClient {
  ClientFlow flow;
  std::size_t offset;
  std::size_t size;
};

/// Bind a UDP socket, or listen on TCP, for `relay`; then call Server::on_relay_opened with the
/// outcome.
struct OpenRelay {
  RelayId relay;
  Endpoint bind;
  PeerTransport transport = PeerTransport::udp;
};

/// Close the socket of `relay`.
struct CloseRelay {
  RelayId relay;
};

/// Connect from the relayed address of `relay`, then call Server::on_peer_connected with the
/// outcome.
struct ConnectToPeer {
  PeerConnectionId connection;
  RelayId relay;
  PermittedPeer peer;
};

/// Close `connection` to the peer, made or in the making, and the client's data connection with it.
struct ClosePeerConnection {
  PeerConnectionId connection;
};

/// The client's connection carries bytes from now on, to and from `connection` of worker `owner`;
/// what follows the ConnectionBind in it is data. Hand it over, and ask that worker's
/// Server::on_streams_bound whether it is still wanted.
struct BindStreams {
  ClientFlow client;
  WorkerId owner;
  PeerConnectionId connection;
};

/// Tell `flow.worker` that this client is no guest of its any more: Server::on_guest_over.
struct ReleaseGuest {
  ClientFlow flow;
};

/// Tell `home` that the connection of its client is gone: Server::on_client_gone.
struct ReportGone {
  WorkerId home;
  FiveTuple tuple;
};

/// Nothing is known of the user who sent `request`: keep it, find out about the user, tell
/// Server::on_user_known, and hand the request to Server::on_client_datagram again. Both are read
/// with Effects::request_of() and Effects::username_of().
struct AskForUser {
  ClientFlow flow;
  std::size_t offset;
  std::size_t request_bytes;
  std::size_t username_bytes;
};

/// A client has an allocation and was told so. It is read with Effects::record_of().
struct AllocationOpened {
  std::size_t record;
};

/// An allocation of which there was an AllocationOpened has ended. Comes once.
struct AllocationClosed {
  std::size_t record;
  CloseReason reason;
};

using Effect = std::variant<SendToClient, OpenRelay, CloseRelay, ConnectToPeer, ClosePeerConnection,
                            BindStreams, ReleaseGuest, ReportGone, AllocationOpened,
                            AllocationClosed, AskForUser>;

/// Collects effects in order. Made once and cleared after use, so that in the steady state nothing
/// is allocated: not for answers to strangers in particular.
class Effects {
 public:
  void send(const ClientFlow& flow, ByteView bytes) {
    list_.emplace_back(SendToClient{flow, bytes_.size(), bytes.size()});
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  void ask_for_user(const ClientFlow& flow, ByteView request, std::string_view username) {
    list_.emplace_back(AskForUser{flow, bytes_.size(), request.size(), username.size()});
    bytes_.insert(bytes_.end(), request.begin(), request.end());
    bytes_.insert(bytes_.end(), username.begin(), username.end());
  }
  void open(const OpenRelay& relay) { list_.emplace_back(relay); }
  void close(RelayId relay) { list_.emplace_back(CloseRelay{relay}); }
  void connect(const ConnectToPeer& connection) { list_.emplace_back(connection); }
  void close(PeerConnectionId connection) { list_.emplace_back(ClosePeerConnection{connection}); }
  void bind(const BindStreams& streams) { list_.emplace_back(streams); }
  void release_guest(const ClientFlow& flow) { list_.emplace_back(ReleaseGuest{flow}); }
  void report_gone(WorkerId home, const FiveTuple& tuple) {
    list_.emplace_back(ReportGone{home, tuple});
  }

  void opened(AllocationRecord record) {
    list_.emplace_back(AllocationOpened{records_.size()});
    records_.push_back(std::move(record));
  }
  void closed(AllocationRecord record, CloseReason reason) {
    list_.emplace_back(AllocationClosed{records_.size(), reason});
    records_.push_back(std::move(record));
  }

  /// In the order in which they were asked for. Carrying one out may append further ones, so walk
  /// by index.
  [[nodiscard]] const std::vector<Effect>& list() const { return list_; }
  /// Valid until the next send() or clear().
  [[nodiscard]] ByteView bytes_of(const SendToClient& effect) const {
    return ByteView{bytes_}.subspan(effect.offset, effect.size);
  }
  /// Valid as long as what bytes_of() gives.
  [[nodiscard]] ByteView request_of(const AskForUser& effect) const {
    return ByteView{bytes_}.subspan(effect.offset, effect.request_bytes);
  }
  [[nodiscard]] std::string_view username_of(const AskForUser& effect) const {
    return text_of(
        ByteView{bytes_}.subspan(effect.offset + effect.request_bytes, effect.username_bytes));
  }
  /// Valid until the next opened(), closed() or clear().
  template <class OpenedOrClosed>
  [[nodiscard]] const AllocationRecord& record_of(const OpenedOrClosed& effect) const {
    return records_.at(effect.record);
  }
  void clear() {
    list_.clear();
    bytes_.clear();
    records_.clear();
  }

 private:
  std::vector<Effect> list_;
  std::vector<std::uint8_t> bytes_;
  std::vector<AllocationRecord> records_;
};

}  // namespace turnpike::turn
