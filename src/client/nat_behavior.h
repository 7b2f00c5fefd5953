// How a NAT between this host and a STUN server behaves (RFC 5780 §4): mapping, filtering,
// hairpinning, binding lifetime, and what else a few Binding requests tell. Datagrams and the time
// in, datagrams and values out. What cannot be known is a value of its own, with its reason.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/endpoint.h"
#include "base/random.h"
#include "base/time.h"
#include "stun/message.h"

namespace turnpike::client {

/// Which destinations share an external port (RFC 4787 §4.1).
enum class NatMapping : std::uint8_t {
  none,  ///< no NAT: the address outside is the one inside
  endpoint_independent,
  address_dependent,
  address_and_port_dependent,
  inconclusive,
};

/// Who may send to an external port (RFC 4787 §5). Of a host without a NAT: what its firewall does.
enum class NatFiltering : std::uint8_t {
  endpoint_independent,
  address_dependent,
  address_and_port_dependent,
  inconclusive,
};

enum class Trial : std::uint8_t { no, yes, inconclusive };

/// Why something is inconclusive.
enum class Doubt : std::uint8_t {
  none,              ///< it is not
  no_answer,         ///< the server answers nothing over UDP
  no_other_address,  ///< the server does not do RFC 5780, or has one address only
  other_is_silent,   ///< the server's other addresses do not answer even when they are asked
  not_supported,     ///< the server refuses the attribute that this needs (420), or another refusal
  lossy,             ///< too much was lost on the way to tell silence from loss
  contradiction,     ///< the answers do not fit together
  no_nat,            ///< the question makes no sense without a NAT
  not_asked,         ///< it was not to be tried
};

/// "none", "endpoint-independent"…: stable, the words of the JSON output.
[[nodiscard]] std::string_view to_string(NatMapping mapping);
[[nodiscard]] std::string_view to_string(NatFiltering filtering);
[[nodiscard]] std::string_view to_string(Trial trial);
[[nodiscard]] std::string_view to_string(Doubt doubt);

/// The name of RFC 3489 §5 for such a NAT, "port-restricted cone"; empty when there is none.
[[nodiscard]] std::string_view old_name(NatMapping mapping, NatFiltering filtering);

/// A value that may be in doubt.
template <class Value>
struct Found {
  Value value = Value::inconclusive;
  Doubt doubt = Doubt::no_answer;  ///< `none` unless the value is inconclusive

  friend bool operator==(const Found&, const Found&) = default;
};

/// How long a binding without traffic lives: at least that long, and less than…
struct BindingLifetime {
  seconds at_least{0};
  std::optional<seconds> less_than;  ///< nothing: it outlived everything that was tried
  Doubt doubt = Doubt::not_asked;    ///< `none`: the two others say something
};

/// What came out.
struct NatBehavior {
  bool is_udp_open = false;        ///< an answer came at all
  std::uint16_t refusal = 0;       ///< the error code of that answer; 0: it was a success
  std::optional<Endpoint> local;   ///< of the socket that asked
  std::optional<Endpoint> mapped;  ///< the same as the server saw it
  bool is_pooled = false;          ///< sockets of this host appeared at several addresses
  std::vector<nanoseconds> rtts;   ///< of the pings that were answered, shortest first
  std::uint32_t pings = 0;         ///< sent, the answered ones included
  std::uint32_t destinations = 0;  ///< addresses of the server that told the mapping
  std::optional<Endpoint> other;   ///< OTHER-ADDRESS
  Found<Trial> alg;                ///< something on the way rewrites addresses in the payload
  Found<Trial> fragments;          ///< datagrams larger than an MTU pass both ways
  Found<Trial> port_preserved;
  Found<Trial> hairpin;
  Found<NatMapping> mapping;
  Found<NatFiltering> filtering;
  BindingLifetime lifetime;
};

/// Asks one server. All sockets are the caller's: UDP, on one address of this host, new,
/// unconnected and used for nothing else, since a NAT remembers where each has sent to. They are
/// called by number.
class NatProbe {
 public:
  struct Options {
    std::uint32_t pings = 20;
    milliseconds ping_interval{50};
    milliseconds interval{350};       ///< between the transmissions of one request
    std::uint32_t transmissions = 6;  ///< of one request
    milliseconds patience{1200};      ///< how long the last transmission is waited for
    /// How long bindings are left alone, ascending; empty: lifetimes are not tried. One socket
    /// each.
    std::vector<seconds> lifetimes;
  };
  /// A datagram to send.
  struct Send {
    std::size_t socket;
    Endpoint to;
    std::vector<std::uint8_t> bytes;
  };
  using Sends = std::vector<Send>;

  [[nodiscard]] static std::size_t sockets(const Options& options);
  /// Lifetimes to try for a binding that should live for `longest`.
  [[nodiscard]] static std::vector<seconds> lifetimes_up_to(seconds longest);

  /// `locals` are the sockets' own addresses, sockets() of them.
  NatProbe(const Endpoint& server, std::vector<Endpoint> locals, Options options, Random& random);

  void start(Instant now, Sends& sends);
  void on_datagram(std::size_t socket, ByteView datagram, Instant now, Sends& sends);
  /// When on_deadline() is to be called; nothing: it is done.
  [[nodiscard]] std::optional<Instant> next_deadline() const;
  void on_deadline(Instant now, Sends& sends);
  [[nodiscard]] bool is_done() const { return !next_deadline(); }
  /// Precondition: is_done().
  [[nodiscard]] NatBehavior result() const;

 private:
  /// What is asked. Those from `lifetime_first` on are there once for each lifetime.
  enum class Topic : std::uint8_t {
    first,          ///< test I of both machines
    other_address,  ///< RFC 5780 §4.3, test II
    other_both,     ///< the same, test III
    other_port,     ///< the fourth address, for §4.4: does it answer at all?
    change_both,    ///< §4.4, test II
    change_port,    ///< the same, test III
    padded,         ///< with 1500 bytes of PADDING, answered alike
    hairpin_a,      ///< a mapping for each of two sockets…
    hairpin_b,
    across_a,  ///< …and from each to the other's
    across_b,
    lifetime_first,
    lifetime_again,
  };
  struct Key {
    Topic topic;
    std::size_t index = 0;  // of the lifetime
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  enum class State : std::uint8_t { scheduled, pending, answered, refused, silent };
  struct Question {
    std::size_t socket;
    Endpoint to;
    std::optional<std::uint32_t> change{};
    std::optional<std::uint16_t> response_port{};
    bool is_padded = false;
    bool is_controlled = false;  // a ping goes with each transmission
    stun::TransactionId id{};
    State state = State::pending;
    std::uint32_t sent = 0;
    Instant next{};
    std::uint16_t error = 0;
    std::optional<Endpoint> mapped{};
    std::optional<Endpoint> plain_mapped{};
    bool is_answer_padded = false;
  };
  /// A request that is sent once.
  struct Ping {
    std::optional<Key> control_of;  // nothing: one of those that are counted
    std::size_t socket;
    stun::TransactionId id;
    Instant sent;
    std::optional<nanoseconds> rtt{};
    bool is_lost = false;
  };

  void ask(Key key, Question question, Instant now, Sends& sends);
  void transmit(Key key, Question& question, Instant now, Sends& sends);
  void ping(std::size_t socket, std::optional<Key> control_of, Instant now, Sends& sends);
  [[nodiscard]] std::vector<std::uint8_t> request(const Question& question) const;
  void on_answer(Key key, std::size_t socket, const stun::MessageView& message, Instant now,
                 Sends& sends);
  void on_first_answer(Instant now, Sends& sends);
  void cross_hairpins(Instant now, Sends& sends);
  void schedule_lifetime(std::size_t index, Instant now);
  [[nodiscard]] const Question* find(Topic topic, std::size_t index = 0) const;
  [[nodiscard]] State state_of(Topic topic, std::size_t index = 0) const;
  /// The silence of a controlled question is the NAT's doing, not the network's.
  [[nodiscard]] bool is_silence_certain(Key key) const;
  [[nodiscard]] bool has_other() const;

  [[nodiscard]] Found<NatMapping> mapping() const;
  [[nodiscard]] Found<NatFiltering> filtering() const;
  [[nodiscard]] Found<Trial> fragments() const;
  [[nodiscard]] Found<Trial> hairpin() const;
  [[nodiscard]] Found<Trial> alg() const;
  [[nodiscard]] BindingLifetime lifetime() const;

  Endpoint server_;
  std::vector<Endpoint> locals_;
  Options options_;
  Random& random_;
  std::map<Key, Question> questions_;
  std::vector<Ping> pings_;
  std::uint32_t pings_left_ = 0;
  Instant next_ping_{};
  std::optional<Endpoint> other_;
};

}  // namespace turnpike::client
