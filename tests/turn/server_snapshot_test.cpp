// Servers that are restored between any two steps go on as if nothing had been.
#include <sstream>

#include "catch.h"
#include "turn/world.h"

namespace turnpike::test {

namespace {

using turn::ConnectOutcome;

constexpr unsigned mobility_ticket = 0x8030;

/// A world with two clients that share a /24, and what both sides have seen so far.
class Stage {
 public:
  explicit Stage(const WorldSettings& settings)
      : world(settings), stream(world.client("198.51.100.7:4000", Transport::tcp)) {
    bob.is("bob", "builder");
  }

  /// Writes an answer down to the last byte.
  void note(const Reply& reply) {
    lines.push_back(std::string{to_string(reply.reason)} + ' ' +
                    (reply.bytes ? to_hex(*reply.bytes) : "nothing"));
  }
  void note(Reason reason) {
    std::string line{to_string(reason)};
    if (reason == Reason::relayed_to_client && world.at_client()) {
      line += ' ' + world.at_client()->client.to_string() + ' ' + to_hex(world.at_client()->bytes);
    }
    if (reason == Reason::relayed_to_peer && world.at_peer()) {
      line += ' ' + world.at_peer()->from.to_string() + ' ' + world.at_peer()->to.to_string();
    }
    lines.push_back(line);
  }
  void note_mail(Client& client) {
    while (auto mail = client.receive()) note(*mail);
  }

  World world;
  Client alice = world.client("198.51.100.7:4000");
  Client bob = world.client("198.51.100.8:4000");
  Client roaming = world.client("203.0.113.77:6000");
  Client stream;
  std::uint64_t token = 0;
  std::uint32_t number = 0;
  Bytes ticket;
  std::vector<std::string> lines;
};

using Step = std::function<void(Stage&)>;
using Play = std::vector<Step>;

/// The heirs know all that was known.
void restart(World& world) {
  const Bytes before = world.snapshot();
  world.restart();
  CHECK((world.snapshot() == before));  // not printed
}

/// Everything that was seen, and what is left; restarted before step `restart_before`.
std::vector<std::string> seen_in(const Play& play, const WorldSettings& settings,
                                 std::size_t restart_before) {
  Stage stage{settings};
  for (std::size_t i = 0; i < play.size(); ++i) {
    if (i == restart_before) restart(stage.world);
    play[i](stage);
    stage.note_mail(stage.alice);
    stage.note_mail(stage.bob);
    stage.note_mail(stage.stream);
    stage.note_mail(stage.roaming);
    std::ostringstream balance;
    balance << stage.world.balance();
    stage.lines.push_back(balance.str());
  }
  return stage.lines;
}

void check_that_no_restart_shows(const Play& play, const WorldSettings& settings = {}) {
  const auto expected = seen_in(play, settings, play.size());
  for (std::size_t before = 0; before < play.size(); ++before) {
    INFO("restarted before step " << before);
    CHECK(seen_in(play, settings, before) == expected);
  }
}

Step after(nanoseconds duration) {
  return [=](Stage& s) { s.world.advance(duration); };
}
Step peer_sends(std::string_view peer) {
  return [=](Stage& s) { s.note(s.world.peer_sends(peer, s.alice, "hi")); };
}
Step alice_allocates(const Add& add = {}) {
  return [=](Stage& s) { s.note(s.alice.allocate(add)); };
}

/// Alice with a relay, a permission and a channel.
void settle(Stage& s) {
  REQUIRE(s.alice.allocate().code() == ok);
  REQUIRE(s.alice.permit("8.8.8.8").code() == ok);
  REQUIRE(s.alice.bind_channel(0x4000, "9.9.9.9:5000").code() == ok);
}

}  // namespace

TEST_CASE("an allocation goes on with its permissions and channels until each expires",
          "[turn][snapshot]") {
  check_that_no_restart_shows(
      {alice_allocates(), [](Stage& s) { s.note(s.alice.permit("8.8.8.8")); },
       [](Stage& s) { s.note(s.alice.repeat()); },
       [](Stage& s) { s.note(s.alice.bind_channel(0x4000, "9.9.9.9:5000")); },
       peer_sends("8.8.8.8:5000"), peer_sends("9.9.9.9:5000"), peer_sends("7.7.7.7:5000"),
       [](Stage& s) { s.note(s.alice.send_channel(0x4000, "out")); }, after(299s),
       peer_sends("8.8.8.8:5000"), after(2s), peer_sends("8.8.8.8:5000"),
       [](Stage& s) { s.note(s.alice.refresh(1200s)); }, after(300s), peer_sends("9.9.9.9:5000"),
       after(1200s), peer_sends("9.9.9.9:5000"), alice_allocates()});
}

TEST_CASE("an Allocate that is sent again has the answer of the first", "[turn][snapshot]") {
  check_that_no_restart_shows({alice_allocates(), [](Stage& s) { s.note(s.alice.repeat()); },
                               [](Stage& s) { s.note(s.alice.refresh(0s)); },
                               [](Stage& s) { s.note(s.alice.repeat()); }});
}

TEST_CASE("a reserved port waits for its token and for no longer than it did", "[turn][snapshot]") {
  const bool in_time = GENERATE(true, false);
  check_that_no_restart_shows({[](Stage& s) {
                                 const Reply reply = s.alice.allocate(with_even_port(true));
                                 s.token = reply.token().value();
                                 s.note(reply);
                               },
                               [](Stage& s) { s.note(s.alice.repeat()); },  // with the token
                               after(in_time ? 10s : 61s),
                               [](Stage& s) {
                                 s.bob.is("alice", "wonderland");
                                 s.note(s.bob.allocate(with_token(s.token)));
                               },
                               [](Stage& s) { s.note(s.bob.refresh(0s)); }});
}

TEST_CASE("an allocation of two families loses one and keeps the other", "[turn][snapshot]") {
  check_that_no_restart_shows(
      {alice_allocates(with_additional(Family::ipv6)),
       [](Stage& s) { s.note(s.alice.permit("2606:4700::1")); }, peer_sends("[2606:4700::1]:5000"),
       [](Stage& s) { s.note(s.alice.refresh(0s, with_family(Family::ipv4))); },
       peer_sends("[2606:4700::1]:5000"), [](Stage& s) { s.note(s.alice.permit("8.8.8.8")); },
       [](Stage& s) { s.note(s.alice.refresh(0s)); }});
}

TEST_CASE("an allocation that has got one family of two says why, again and again",
          "[turn][snapshot]") {
  check_that_no_restart_shows(
      {[](Stage& s) {  // one step: who waits for a relay is not in a snapshot
         s.alice.log_in();
         s.world.hold_relays();
         s.note(s.alice.allocate(with_additional(Family::ipv6)));
         s.world.open_held();
         s.world.open_held(turn::RelayOpenError::no_resources);
       },
       [](Stage& s) { s.note(s.alice.repeat()); }, [](Stage& s) { s.note(s.alice.refresh(0s)); }});
}

TEST_CASE("a client moves with its ticket, and its old address has its time", "[turn][snapshot]") {
  WorldSettings settings;
  settings.mobility = true;
  settings.workers = GENERATE(std::uint8_t{1}, std::uint8_t{2});
  const auto move = [](Stage& s) {
    const Reply reply = s.roaming.refresh(std::nullopt, with_raw(mobility_ticket, s.ticket));
    s.note(reply);
  };
  check_that_no_restart_shows(
      {[](Stage& s) {
         if (s.world.settings().workers > 1) s.roaming.at(1);
         const Reply reply = s.alice.allocate(with_raw(mobility_ticket, {}));
         s.ticket = copy_of(bytes_of(reply.text(AttributeType::mobility_ticket)));
         s.note(reply);
       },
       [](Stage& s) { s.note(s.alice.permit("8.8.8.8")); }, peer_sends("8.8.8.8:5000"), move,
       peer_sends("8.8.8.8:5000"), move, [](Stage& s) { s.note(s.roaming.permit("9.9.9.9")); },
       peer_sends("9.9.9.9:5000"), [](Stage& s) { s.note(s.alice.permit("9.9.9.9")); },
       after(700s)},
      settings);
}

TEST_CASE("connections of TCP relays wait for their clients, and are relayed on",
          "[turn][snapshot]") {
  WorldSettings settings;
  settings.tcp_relays = true;
  check_that_no_restart_shows(
      {[](Stage& s) { s.note(s.stream.allocate_tcp()); },
       [](Stage& s) { s.note(s.stream.permit("8.8.8.8")); },
       [](Stage& s) {  // one step: who waits for a peer is not in a snapshot
         s.note(s.stream.connect("8.8.8.8:5000").reason);
         s.note(s.world.answer_connect(ConnectOutcome::connected));
         const Reply reply = s.stream.receive().value();
         s.number = reply.connection_id().value();
         s.note(reply);
       },
       [](Stage& s) { s.note(s.world.peer_connects("8.8.8.8:6000", s.stream)); },
       [](Stage& s) {
         auto data = s.world.client("198.51.100.7:5001", Transport::tcp);
         s.note(data.bind_connection(s.number));
       },
       [](Stage& s) { s.lines.emplace_back(s.world.deliver_streams() ? "bound" : "gone"); },
       after(31s),  // the other one has waited too long
       [](Stage& s) { s.world.peer_closes(0); }, [](Stage& s) { s.note(s.stream.refresh(0s)); }},
      settings);
}

TEST_CASE("quotas count what is there", "[turn][snapshot]") {
  WorldSettings settings;
  settings.limits.max_allocations_per_user = 1;
  settings.limits.max_allocations_per_network = 2;
  const auto bob_tries = [](Stage& s) { s.note(s.bob.allocate()); };
  check_that_no_restart_shows({alice_allocates(), [](Stage& s) { s.bob.is("alice", "wonderland"); },
                               bob_tries, [](Stage& s) { s.bob.is("bob", "builder"); }, bob_tries,
                               [](Stage& s) { s.note(s.alice.refresh(0s)); }, alice_allocates()},
                              settings);
}

TEST_CASE("what has been relayed is paid for, and new peers come as fast as before",
          "[turn][snapshot]") {
  WorldSettings settings;
  settings.limits.bandwidth_per_user = 8'000;
  settings.limits.bandwidth_per_allocation = 16'000;
  settings.limits.bandwidth_total = 32'000;
  settings.limits.new_peers_per_second = 1;
  settings.limits.new_peers_burst_s = 2;
  const std::string much(1200, 'x');
  const Step sends_much = [=](Stage& s) {
    for (int i = 0; i < 40; ++i) s.note(s.alice.send("8.8.8.8:5000", much));
  };
  check_that_no_restart_shows({settle, sends_much, sends_much, after(2s), sends_much,
                               [](Stage& s) { s.note(s.alice.permit("7.7.7.7")); },
                               [](Stage& s) { s.note(s.alice.permit("7.7.7.8")); },
                               [](Stage& s) { s.note(s.alice.permit("7.7.7.9")); }, after(1s),
                               [](Stage& s) { s.note(s.alice.permit("7.7.7.10")); },
                               [](Stage& s) { s.note(s.alice.refresh(0s)); }, alice_allocates(),
                               [](Stage& s) { s.note(s.alice.permit("8.8.8.8")); }, sends_much},
                              settings);
}

TEST_CASE("a user's own bandwidth holds on", "[turn][snapshot]") {
  WorldSettings settings;
  settings.asks_for_users = true;
  World world{settings};
  auto carol = world.client("198.51.100.9:4000").is("carol", "piano");
  REQUIRE(carol.allocate().reason == Reason::parked);
  world.answer_user("carol", "piano", {.bandwidth = 8'000});
  REQUIRE(carol.receive().value().code() == ok);
  REQUIRE(carol.permit("8.8.8.8").code() == ok);
  restart(world);
  std::size_t relayed = 0;
  for (int i = 0; i < 80; ++i) {
    const Reason reason = carol.send("8.8.8.8:5000", std::string(1200, 'x'));
    relayed += reason == Reason::relayed_to_peer ? 1 : 0;
  }
  CHECK(relayed > 0);
  CHECK(relayed < 80);
}

TEST_CASE("a user that is asked for is asked for again", "[turn][snapshot]") {
  WorldSettings settings;
  settings.asks_for_users = true;
  World world{settings};
  auto carol = world.client("198.51.100.9:4000");
  carol.is("carol", "piano");
  CHECK(carol.allocate().reason == Reason::parked);
  world.restart();
  CHECK(world.answer_user("carol", "piano") != Reason::parked);
  CHECK(carol.receive().value().code() == ok);
}

TEST_CASE("a move whose user is asked for can be answered, or given up", "[turn][snapshot]") {
  WorldSettings settings;
  settings.asks_for_users = true;
  settings.mobility = true;
  settings.workers = 2;
  World world{settings};
  auto carol = world.client("198.51.100.9:4000").is("carol", "piano");
  REQUIRE(carol.allocate(with_raw(mobility_ticket, {})).reason == Reason::parked);
  world.answer_user("carol", "piano");
  const Reply allocated = carol.receive().value();
  const Bytes ticket = copy_of(bytes_of(allocated.text(AttributeType::mobility_ticket)));

  auto away = world.client("203.0.113.77:6000").at(1).is("carol", "piano");
  REQUIRE(away.refresh(600s, with_raw(mobility_ticket, ticket)).reason == Reason::parked);
  world.server(0).forget_users();
  REQUIRE(world.answer_user("carol", "piano") == Reason::relayed_to_home);
  world.restart();
  CHECK(world.balance().guests == 1);

  SECTION("answered") {
    CHECK(world.answer_user("carol", "piano") == Reason::answered_move);
    CHECK(away.receive().value().code() == ok);
    CHECK(world.balance().guests == 1);
  }
  SECTION("given up") {
    world.give_up_user("carol");
    CHECK(world.balance().guests == 0);
  }
}

}  // namespace turnpike::test
