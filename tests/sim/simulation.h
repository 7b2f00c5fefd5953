// The whole of a TURN service in virtual time: workers with their turn::Servers and one ledger, the
// shell that opens their sockets, a key source, clients and peers behind a bad network, and an
// operator. The same seed gives the same run, on every compiler.
//
// Each input goes to the model first (model.h), then to the server; what the server wants done is
// compared with what the model allows, and only then carried out. The first difference is thrown as
// a Violation.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "sim/client.h"
#include "sim/diary.h"
#include "sim/liveness.h"
#include "sim/model.h"
#include "sim/trace.h"

namespace turnpike::sim {

class Simulation {
 public:
  explicit Simulation(const Settings& settings, bool is_verbose = false);

  /// From the first event to the last, and a balance at the end.
  void run();
  /// That client does nothing; whoever is kept apart from it must not notice (I-17).
  void mute(unsigned client) { muted_ = client; }
  /// What clients saw, where they are kept apart.
  [[nodiscard]] const Diaries& diaries() const { return diaries_; }

  // ---- steps, also for scripts ----
  void advance(nanoseconds duration);
  /// A datagram of a client comes in at its worker.
  void from_client(const turn::ClientFlow& flow, const Bytes& datagram);
  /// The client's connection is gone, or its association.
  void lose_client(const turn::ClientFlow& flow);
  /// A datagram arrives at a relayed address; at nothing when there is no socket.
  void from_peer(const Endpoint& peer, const Endpoint& relayed, const Bytes& payload);
  /// A peer connects to a relayed address; to nobody when there is no TCP relay.
  void connect_from(const Endpoint& peer, const Endpoint& relayed);
  /// The client closes a data connection, or one that was to be one.
  void close_data(const turn::ClientFlow& flow);
  void icmp_from(const Endpoint& peer, const Endpoint& relayed, const stun::Icmp& icmp);
  void use_policy(std::size_t variant);
  void use_book(std::size_t variant);
  void use_limits(const turn::Limits& limits);
  void set_draining(bool is_draining);
  void forget_users();
  /// The wall clock is so far ahead of what it should say from now on.
  void set_clock(seconds ahead);
  void kill(std::size_t which);
  void end_all_of(const std::string& user);
  /// All servers end, and others go on from what they have written down (I-18).
  void restart();
  /// Hours later nothing may be left.
  void wind_up();

  [[nodiscard]] std::uint64_t hash() const { return trace_.hash(); }
  [[nodiscard]] const Coverage& coverage() const { return coverage_; }
  [[nodiscard]] Now now() const {
    return {now_, first_wall + std::chrono::floor<seconds>(now_ - first_instant) + clock_ahead_};
  }
  [[nodiscard]] std::size_t allocation_count() const { return model_.allocation_count(); }
  [[nodiscard]] std::size_t clients_that_gave_up() const;
  [[nodiscard]] const Settings& settings() const { return settings_; }

  // ---- for clients ----
  /// Out into the network towards the server.
  void transmit(const turn::ClientFlow& flow, const Bytes& datagram);
  void later(nanoseconds delay, std::function<void()> what);
  [[nodiscard]] Liveness& liveness() { return liveness_; }
  /// A client at `client` has waited for an answer as long as it should.
  void on_given_up(const FiveTuple& client, const Bytes& id);
  /// The worker that datagrams of `client` come in at.
  [[nodiscard]] turn::WorkerId worker_of(const Endpoint& client) const;
  void note_received(const IpAddress& client, const Bytes& datagram) {
    if (settings_.is_apart) diaries_.received(client, datagram, now_);
  }
  /// Is that the address of a client other than `one`?
  [[nodiscard]] bool is_of_another(const turn::ClientFlow& flow, const Client& one) const;
  /// What others have sent lately, for who listens in.
  [[nodiscard]] const std::deque<std::pair<turn::ClientFlow, Bytes>>& overheard() const {
    return overheard_;
  }
  [[nodiscard]] const std::vector<std::unique_ptr<Client>>& clients() const { return clients_; }
  /// Tokens and tickets that were handed out, to be used by anybody.
  std::vector<std::uint64_t> tokens;
  std::vector<Bytes> tickets;
  std::vector<std::uint32_t> connection_ids;
  void say(const std::string& text) { trace_.note(now_, text); }
  [[nodiscard]] bool is_verbose() const { return trace_.is_verbose(); }

 private:
  /// What one server asked for in one call.
  struct Wanted;

  // simulation.cpp
  /// Fresh ones, under the settings of now.
  void build_servers();
  [[nodiscard]] turn::Server::Settings server_settings(std::size_t worker) const;
  void take_turn(std::size_t client);
  void operate();
  void finish_drain();
  void check_everybody_served() const;
  bool serve_timer(Instant until);
  void run_events(Instant until);
  void deliver(const turn::ClientFlow& flow, const Bytes& datagram, bool to_server);
  void reach_client(const turn::ClientFlow& flow, const Bytes& bytes);
  [[nodiscard]] turn::Server& server(turn::WorkerId worker) {
    return servers_.at(static_cast<std::size_t>(worker));
  }

  // compare.cpp
  void at_worker(turn::WorkerId worker, const turn::ClientFlow& flow, const Bytes& datagram);
  void follow(turn::WorkerId worker, const Verdict& verdict, turn::Handled& handled,
              const Bytes& next, const std::function<turn::Handled()>& judge);
  void settle(turn::WorkerId worker, const Verdict& verdict, const turn::Handled* handled,
              ByteView input);
  void settle_reason(const Verdict& verdict, turn::Reason reason) const;
  void compare_response(turn::WorkerId worker, const Verdict& verdict, const Wanted& wanted);
  [[nodiscard]] bool is_afforded(turn::WorkerId worker, const Verdict& verdict, const Bytes* sent);
  void compare_message(const Response& expected, const turn::ClientFlow& flow, const Bytes& bytes);
  void compare_attempt(const Verdict& verdict, const Wanted& wanted);
  void compare_connections(turn::WorkerId worker, const Verdict& verdict, const Wanted& wanted);
  void compare_attributes(const Response& expected, const wire::Message& message);
  void compare_discovery(const Response& expected, const wire::Message& message) const;
  void compare_icmp(const Verdict& verdict, const Wanted& wanted) const;
  void compare_forward(turn::WorkerId worker, const Verdict& verdict, const turn::Handled& handled,
                       ByteView input);
  void compare_ends(turn::WorkerId worker, const Verdict& verdict, const Wanted& wanted);
  void check_size(const Wanted& wanted, ByteView request) const;
  void check_drain(const Wanted& wanted, ByteView request) const;
  void check_service(const turn::ClientFlow& flow, const Bytes& response);
  void check_balance();
  [[noreturn]] void fail(const std::string& what) const;
  void require(bool condition, const char* what) const {
    if (!condition) fail(what);
  }

  // shell.cpp
  [[nodiscard]] static Wanted take(turn::Effects& effects);
  void carry_out(turn::WorkerId worker, const Wanted& wanted, const Verdict& verdict);
  // shell_tcp.cpp
  struct Connection {
    turn::WorkerId worker;
    turn::PeerConnectionId id;
    FiveTuple control;
    bool is_connecting = false;
    std::optional<FiveTuple> client{};  // once it is bound
  };
  [[nodiscard]] Connection* connection(turn::WorkerId worker, turn::PeerConnectionId id);
  void connect_to_peer(turn::WorkerId worker, const turn::ConnectToPeer& connect);
  void report_connected(turn::WorkerId worker, turn::PeerConnectionId id,
                        turn::ConnectOutcome outcome);
  bool accept(turn::WorkerId worker, turn::RelayId relay, const Endpoint& peer);
  void bind_streams(const turn::BindStreams& bind);
  void move_bytes(turn::WorkerId worker, turn::PeerConnectionId id);
  void read_again(turn::WorkerId worker, turn::PeerConnectionId id, std::uint64_t moves_before);
  [[nodiscard]] bool waits_after(const Connection& mine, const Moved& moved);
  [[nodiscard]] SeededRandom& luck_of_streams(const IpAddress& client);
  void drop_connection(turn::WorkerId worker, turn::PeerConnectionId id);
  void close_connection(turn::WorkerId worker, turn::PeerConnectionId id);
  void close_by_peer(turn::WorkerId worker, turn::PeerConnectionId id);

  void open_later(turn::WorkerId worker, const turn::OpenRelay& open);
  void report_opened(turn::WorkerId worker, const turn::OpenRelay& open, const FiveTuple& client);
  void close_socket(turn::WorkerId worker, turn::RelayId relay);
  void ask(turn::WorkerId worker, const turn::ClientFlow& flow, const Bytes& request,
           const std::string& username);
  void answer_about(turn::WorkerId worker, const std::string& username);
  void give_up(std::uint64_t number);
  [[nodiscard]] bool reaches(turn::WorkerId worker, const turn::ClientFlow& flow);
  [[nodiscard]] SeededRandom& luck_of(const IpAddress& client);
  [[nodiscard]] SeededRandom& luck_of(const std::string& username);
  void meet_peer(turn::WorkerId worker, const turn::Forward& forward);
  [[nodiscard]] Endpoint advertised(const Endpoint& bind) const;
  void at_relay(turn::WorkerId worker, turn::RelayId relay, const Endpoint& peer,
                const Bytes& payload);

  Settings settings_;
  SeededRandom random_;  // of the operator, of timers and restarts
  std::map<std::uint64_t, SeededRandom> luck_;
  SeededRandom server_random_;
  std::vector<std::unique_ptr<auth::CredentialBook>> books_;
  std::size_t book_ = 0;
  std::size_t policy_ = 0;
  bool is_draining_ = false;
  std::unique_ptr<turn::Ledger> ledger_;
  std::deque<turn::PeerPolicy> policies_;
  std::deque<turn::Server> servers_;
  turn::Effects effects_;
  Model model_;
  Liveness liveness_;
  Trace trace_;
  Coverage coverage_;

  Instant now_ = first_instant;
  seconds clock_ahead_{0};
  std::uint64_t last_event_ = 0;
  std::map<std::pair<Instant, std::uint64_t>, std::function<void()>> events_;
  struct Timer {
    std::optional<Instant> deadline;
    Instant fires{};
  };
  std::vector<Timer> timers_;

  struct Socket {
    turn::WorkerId worker;
    turn::RelayId relay;
    Endpoint bind;
    turn::PeerTransport transport;
  };
  [[nodiscard]] const Socket* socket_at(const Endpoint& relayed,
                                        turn::PeerTransport transport) const;
  std::vector<Socket> sockets_;
  std::optional<Socket> closed_;  // the last one
  std::vector<Connection> connections_;
  std::uint64_t moves_ = 0;  // of bytes, over any of them
  struct Parked {
    turn::WorkerId worker;
    turn::ClientFlow flow;
    Bytes request;
    std::string username;
    std::uint64_t number;
  };
  std::vector<Parked> parked_;
  std::uint64_t last_parked_ = 0;
  std::vector<std::unique_ptr<Client>> clients_;
  std::optional<std::size_t> muted_;
  Diaries diaries_;
  std::deque<std::pair<turn::ClientFlow, Bytes>> overheard_;
  std::map<Endpoint, Instant> last_arrival_;  // streams keep their order
  unsigned turns_left_ = 0;
  Instant lives_until_ = first_instant;  // what was granted, at the most
  std::vector<std::uint64_t> counted_;   // counters at the last look: they never go down
};

}  // namespace turnpike::sim
