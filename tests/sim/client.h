// A client of the simulated service: it wants to relay, and mostly behaves; how often it does not
// is a matter of the settings. It knows only what it was told.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/settings.h"
#include "sim/wire.h"
#include "stun/builder.h"
#include "turn/effects.h"

namespace turnpike::sim {

class Simulation;

class Client {
 public:
  Client(Simulation& world, unsigned number);

  /// Does one thing.
  void act();
  /// How long it does nothing after that. Drawn apart from what it does, so that who is muted has
  /// as many turns as before.
  [[nodiscard]] milliseconds pause();
  void stop() { is_stopped_ = true; }
  /// Whatever reaches anybody; kept if it is for this client.
  void receive(const FiveTuple& tuple, const Bytes& datagram);
  [[nodiscard]] bool has_allocation() const { return has_allocation_; }
  /// How many requests got no answer in the time that RFC 8489 §6.2.1 gives them.
  [[nodiscard]] unsigned times_given_up() const { return given_up_; }
  [[nodiscard]] const turn::ClientFlow& flow() const { return flow_; }
  /// How many it has been given.
  [[nodiscard]] unsigned allocations() const { return allocations_; }
  [[nodiscard]] bool is_intruder() const { return is_intruder_; }
  /// Asks for an allocation, with nothing special about it.
  void allocate_plainly();

 private:
  using Add = std::function<void(stun::MessageBuilder&)>;
  struct Transaction {
    stun::Method method{};
    Add add;
    Bytes bytes;
    FiveTuple client;
    unsigned sent = 0;
    unsigned challenges = 0;
    bool deletes = false;
  };
  enum class Algorithm : std::uint8_t { unnamed, md5, sha256 };

  [[nodiscard]] IpAddress address() const;
  void sit_down(std::uint16_t port);
  [[nodiscard]] std::size_t some_login();
  void request(stun::Method method, const Add& add, unsigned challenges = 0, bool deletes = false);
  void retransmit(const Bytes& id);
  // RFC 8489 §6.2.1; over a stream, §6.2.2
  static constexpr milliseconds patience{39'500};  // in all
  [[nodiscard]] static unsigned most_transmissions(Transport transport);
  [[nodiscard]] static milliseconds wait_after(unsigned transmission, Transport transport);
  void on_response(const wire::Message& message);
  void on_success(const Transaction& transaction, const wire::Message& message);
  void take_ticket(const Bytes& ticket);
  void on_error(const Transaction& transaction, int code, const wire::Message& message);
  void forget();

  // what it does when it behaves
  void allocate();
  void refresh();
  void permit();
  void bind_channel();
  void send();
  void send_on_channel();
  void move();
  void leave();

  // client_misdeeds.cpp
  void be_reckless();
  void be_malicious();
  void guess();
  void show(const Bytes& ticket);
  [[nodiscard]] bool may_misbehave() const;
  void put_something(stun::MessageBuilder& message);

  // client_discovery.cpp
  /// A question about its NAT (RFC 5780), asked beside all else.
  struct Probe {
    turn::ClientFlow flow;
    Bytes request;
    unsigned sent = 0;
  };
  void discover();
  void discover_in_others_names();
  [[nodiscard]] turn::ClientFlow probing_flow();
  [[nodiscard]] std::uint16_t port_of_its_own();
  [[nodiscard]] Bytes probe();
  [[nodiscard]] Bytes reckless_probe();
  [[nodiscard]] Bytes harmful_probe(std::uint16_t response_port);
  void ask(const turn::ClientFlow& flow, const Bytes& request);
  void ask_again(const Bytes& id);
  [[nodiscard]] bool hears_of_probe(const FiveTuple& tuple, const Bytes& datagram);

  // client_tcp.cpp
  /// What is to carry the data of a peer, or does.
  struct DataConnection {
    turn::ClientFlow flow;
    std::uint32_t number;
    std::string nonce;
    unsigned tries = 0;
    Bytes id{};  // of the ConnectionBind that is not answered yet
  };
  void act_over_tcp();
  void bind_later(std::uint32_t number);
  void bind(std::uint32_t number);
  void send_bind(DataConnection& data);
  void on_bind_response(std::size_t which, const wire::Message& message);
  void close_data(std::size_t which);

  void sign(stun::MessageBuilder& message);
  [[nodiscard]] Endpoint some_peer();
  [[nodiscard]] stun::TransactionId new_id();
  void transmit(const Bytes& datagram);

  Simulation& world_;
  unsigned number_;
  bool is_intruder_;
  SeededRandom random_;
  SeededRandom pace_random_;
  SeededRandom discovery_random_;
  turn::ClientFlow flow_;
  std::size_t login_ = 0;
  Algorithm algorithm_ = Algorithm::unnamed;
  bool with_fingerprint_ = false;
  bool with_userhash_ = false;
  bool is_stopped_ = false;
  std::string realm_;
  std::string nonce_;
  Bytes offered_;
  std::map<Bytes, Transaction> transactions_;
  bool has_allocation_ = false;
  bool wants_tcp_ = false;
  bool is_tcp_ = false;
  std::map<Bytes, Probe> probes_;
  bool is_behind_filter_ = false;  // its NAT lets in only what comes from where it has sent to
  std::vector<DataConnection> data_;
  unsigned last_data_ = 0;
  std::vector<Endpoint> relayed_;
  std::vector<unsigned> channels_;
  std::vector<std::uint64_t> tokens_;
  Bytes ticket_;
  Bytes previous_ticket_;
  unsigned given_up_ = 0;
  unsigned allocations_ = 0;
};

/// What a datagram is, for people: " (Allocate request)".
[[nodiscard]] std::string describe(const Bytes& datagram);

}  // namespace turnpike::sim
