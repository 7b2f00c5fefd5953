// The probe against simulated NAT boxes of every kind that RFC 4787 knows, in virtual time.
#include "client/nat_behavior.h"

#include <algorithm>
#include <map>
#include <ostream>

#include "base/seeded_random.h"
#include "catch.h"
#include "stun/attributes.h"
#include "stun/builder.h"
#include "support/nat_box.h"

namespace turnpike::client {

template <class Value>
std::ostream& operator<<(std::ostream& out, const Found<Value>& found) {
  return out << to_string(found.value) << " (" << to_string(found.doubt) << ')';
}
std::ostream& operator<<(std::ostream& out, Doubt doubt) { return out << to_string(doubt); }

}  // namespace turnpike::client

using namespace turnpike;
using namespace turnpike::client;
using namespace turnpike::test;
using namespace std::chrono_literals;
using stun::AttributeType;

namespace {

using Bytes = std::vector<std::uint8_t>;

Endpoint at(std::string_view text) { return Endpoint::parse(text).value(); }

/// What the server can do.
struct ServerKind {
  bool answers = true;
  bool has_other = true;
  bool other_answers = true;  ///< nobody filters its second address
  bool does_response_port = true;
  bool tells_plain_address = true;
  std::uint16_t refusal = 0;  ///< the code it answers everything with
};

struct Path {
  unsigned loss_percent = 0;  ///< each way
  nanoseconds one_way = 10ms;
  bool drops_fragments = false;
  bool has_alg = false;  ///< MAPPED-ADDRESS is turned into the inner address
};

/// The probe at home, the box, the network, and a server of RFC 5780 with two addresses.
class World {
 public:
  World(NatBox::Options box, ServerKind server = {}, Path path = {}, std::uint64_t seed = 1)
      : box_(IpAddress::parse("198.51.100.7").value(), box),
        server_(server),
        path_(path),
        random_(seed) {}

  NatBehavior probe(NatProbe::Options options = {}) {
    std::vector<Endpoint> locals;
    for (std::size_t i = 0; i < NatProbe::sockets(options); ++i) {
      locals.push_back({home_, static_cast<std::uint16_t>(40'000 + i)});
    }
    NatProbe probe{a1p1_, locals, options, random_};
    NatProbe::Sends sends;
    probe.start(now_, sends);
    for (;;) {
      for (const NatProbe::Send& send : sends) leave_home(locals[send.socket], send.to, send.bytes);
      sends.clear();
      const auto deadline = probe.next_deadline();
      if (!deadline) break;
      if (!coming_.empty() && coming_.begin()->first <= *deadline) {
        auto [when, datagram] = *coming_.begin();
        coming_.erase(coming_.begin());
        now_ = when;
        arrive(datagram, locals, probe, sends);
      } else {
        now_ = *deadline;
        probe.on_deadline(now_, sends);
      }
      REQUIRE(now_ - started_ < 400s);
    }
    took_ = now_ - started_;
    return probe.result();
  }

  [[nodiscard]] nanoseconds took() const { return took_; }

 private:
  struct Datagram {
    Endpoint from;
    Endpoint to;
    Bytes bytes;
  };

  bool is_lost() { return random_.next_u64() % 100 < path_.loss_percent; }

  void leave_home(const Endpoint& inner, const Endpoint& to, const Bytes& bytes) {
    const auto external = box_.outbound(inner, to, now_);
    if (!external || is_lost()) return;
    if (path_.drops_fragments && bytes.size() > 1472) return;
    if (box_.is_external(to.address)) {
      if (box_.options().hairpins) coming_.emplace(now_ + 1ms, Datagram{*external, to, bytes});
      return;
    }
    coming_.emplace(now_ + path_.one_way, Datagram{*external, to, bytes});
  }

  void arrive(const Datagram& datagram, const std::vector<Endpoint>& locals, NatProbe& probe,
              NatProbe::Sends& sends) {
    if (datagram.to.address == a1p1_.address || datagram.to.address == a2p2_.address) {
      return serve(datagram);
    }
    const auto inner = box_.inbound(datagram.from, datagram.to, now_);
    if (!inner) return;
    const auto socket = std::find(locals.begin(), locals.end(), *inner);
    REQUIRE(socket != locals.end());
    probe.on_datagram(static_cast<std::size_t>(socket - locals.begin()), datagram.bytes, now_,
                      sends);
  }

  void serve(const Datagram& datagram) {
    const auto request = stun::MessageView::parse(datagram.bytes);
    REQUIRE(request.has_value());
    const bool at_first = datagram.to == a1p1_;
    if (!server_.answers || (!at_first && !server_.other_answers)) return;
    Bytes buffer(4096);
    if (server_.refusal != 0) return refuse(datagram, *request, server_.refusal);
    const bool is_special = request->has(AttributeType::change_request) ||
                            request->has(AttributeType::padding) ||
                            request->has(AttributeType::response_port);
    const bool lacks_port =
        request->has(AttributeType::response_port) && !server_.does_response_port;
    if ((is_special && !server_.has_other) || lacks_port) return refuse(datagram, *request, 420);

    stun::MessageBuilder answer{buffer, stun::Class::success, stun::Method::binding,
                                request->transaction_id()};
    answer.put_xor_address(AttributeType::xor_mapped_address, datagram.from);
    if (server_.tells_plain_address) {
      const auto plain = path_.has_alg ? Endpoint{home_, 40'000} : datagram.from;
      answer.put_address(AttributeType::mapped_address, plain);
    }
    if (server_.has_other) answer.put_address(AttributeType::other_address, a2p2_);
    Endpoint source = datagram.to;
    if (const auto change = request->find(AttributeType::change_request)) {
      if (((*change)[3] & 4) != 0) source.address = a2p2_.address;
      if (((*change)[3] & 2) != 0) source.port = a2p2_.port;
      if (source != a1p1_ && !server_.other_answers) return;
    }
    Endpoint to = datagram.from;
    if (const auto port = request->find(AttributeType::response_port)) to.port = load_be16(*port);
    if (const auto padding = request->find(AttributeType::padding)) {
      answer.put(AttributeType::padding, *padding);
    }
    reply(source, to, answer.put_fingerprint().bytes());
  }

  void refuse(const Datagram& datagram, const stun::MessageView& request, std::uint16_t code) {
    Bytes buffer(256);
    stun::MessageBuilder answer{buffer, stun::Class::error, stun::Method::binding,
                                request.transaction_id()};
    reply(datagram.to, datagram.from,
          answer.put_error_code(static_cast<stun::ErrorCode>(code)).bytes());
  }

  void reply(const Endpoint& from, const Endpoint& to, ByteView bytes) {
    if (is_lost() || (path_.drops_fragments && bytes.size() > 1472)) return;
    coming_.emplace(now_ + path_.one_way, Datagram{from, to, {bytes.begin(), bytes.end()}});
  }

  const Endpoint a1p1_ = at("203.0.113.10:3478");
  const Endpoint a2p2_ = at("203.0.113.11:3479");
  const IpAddress home_ = IpAddress::parse("192.168.1.23").value();
  NatBox box_;
  ServerKind server_;
  Path path_;
  SeededRandom random_;
  Instant started_ = Instant{} + 1h;
  Instant now_ = started_;
  nanoseconds took_{};
  std::multimap<Instant, Datagram> coming_;
};

NatBox::Options box(Dependence mapping, Dependence filtering) {
  NatBox::Options options;
  options.mapping = mapping;
  options.filtering = filtering;
  return options;
}

constexpr auto independent = Dependence::endpoint_independent;
constexpr auto by_address = Dependence::address_dependent;
constexpr auto by_port = Dependence::address_and_port_dependent;

NatMapping mapping_of(Dependence dependence) {
  if (dependence == independent) return NatMapping::endpoint_independent;
  return dependence == by_address ? NatMapping::address_dependent
                                  : NatMapping::address_and_port_dependent;
}
NatFiltering filtering_of(Dependence dependence) {
  if (dependence == independent) return NatFiltering::endpoint_independent;
  return dependence == by_address ? NatFiltering::address_dependent
                                  : NatFiltering::address_and_port_dependent;
}

NatBox::Options no_nat(Dependence filtering) {
  NatBox::Options options = box(independent, filtering);
  options.translates = false;
  return options;
}

template <class Value>
Found<Value> sure(Value value) {
  return {value, Doubt::none};
}
template <class Value>
Found<Value> unsure(Doubt doubt) {
  return {Value::inconclusive, doubt};
}

}  // namespace

TEST_CASE("each of the nine kinds of NAT is told from the others", "[client][rfc5780-4]") {
  const auto mapping = GENERATE(independent, by_address, by_port);
  const auto filtering = GENERATE(independent, by_address, by_port);
  const auto ports = GENERATE(PortChoice::preserve, PortChoice::parity, PortChoice::next);
  const bool hairpins = GENERATE(false, true);
  NatBox::Options options = box(mapping, filtering);
  options.ports = ports;
  options.hairpins = hairpins;
  World world{options};
  const NatBehavior found = world.probe();
  CHECK(found.is_udp_open);
  CHECK(found.mapping == sure(mapping_of(mapping)));
  CHECK(found.filtering == sure(filtering_of(filtering)));
  CHECK(found.port_preserved == sure(ports == PortChoice::preserve ? Trial::yes : Trial::no));
  CHECK(found.mapped->address.to_string() == "198.51.100.7");
  CHECK(found.alg == sure(Trial::no));
  CHECK(found.fragments == sure(Trial::yes));
  CHECK(found.destinations == 4);
  CHECK(found.pings == 20);
  CHECK(found.rtts.size() == 20);
  CHECK(found.rtts.front() == 20ms);
  CHECK_FALSE(found.is_pooled);
  CHECK(world.took() < 5s);
  // A mapping that depends on the destination has another port for the way back across the box.
  const bool can_hairpin = hairpins && (mapping == independent || filtering == independent);
  if (can_hairpin || !hairpins) CHECK(found.hairpin == sure(hairpins ? Trial::yes : Trial::no));
}

TEST_CASE("where there is no NAT, the firewall's filtering is found", "[client][rfc5780-4]") {
  const auto filtering = GENERATE(independent, by_address, by_port);
  World world{no_nat(filtering)};
  const NatBehavior found = world.probe();
  CHECK(found.mapping == sure(NatMapping::none));
  CHECK(found.filtering == sure(filtering_of(filtering)));
  CHECK(found.mapped == found.local);
  CHECK(found.hairpin == unsure<Trial>(Doubt::no_nat));
  CHECK(found.port_preserved == unsure<Trial>(Doubt::no_nat));
}

TEST_CASE("blocked UDP is told from everything else, in the time of one request",
          "[client][rfc5780-4]") {
  NatBox::Options options;
  options.blocks_udp = true;
  World world{options};
  const NatBehavior found = world.probe();
  CHECK_FALSE(found.is_udp_open);
  CHECK(found.mapping == unsure<NatMapping>(Doubt::no_answer));
  CHECK(found.filtering == unsure<NatFiltering>(Doubt::no_answer));
  CHECK(found.hairpin == unsure<Trial>(Doubt::no_answer));
  CHECK(found.fragments == unsure<Trial>(Doubt::no_answer));
  CHECK(found.pings == 0);
  CHECK(world.took() == 350ms * 5 + 1200ms);
}

TEST_CASE("a silent server looks like blocked UDP", "[client][rfc5780-4]") {
  World world{{}, {.answers = false}};
  CHECK_FALSE(world.probe().is_udp_open);
}

TEST_CASE("a server with one address tells nothing of the NAT but that there is one",
          "[client][rfc5780-4]") {
  World world{box(by_port, by_port), {.has_other = false}};
  const NatBehavior found = world.probe();
  CHECK(found.is_udp_open);
  CHECK(found.mapping == unsure<NatMapping>(Doubt::no_other_address));
  CHECK(found.filtering == unsure<NatFiltering>(Doubt::no_other_address));
  CHECK(found.fragments == unsure<Trial>(Doubt::not_supported));
  CHECK(found.rtts.size() == 20);
}

TEST_CASE("a server with one address still shows that there is no NAT", "[client][rfc5780-4]") {
  World world{no_nat(by_port), {.has_other = false}};
  const NatBehavior found = world.probe();
  CHECK(found.mapping == sure(NatMapping::none));
  CHECK(found.filtering == unsure<NatFiltering>(Doubt::no_other_address));
}

TEST_CASE("a second address that does not answer is no proof of filtering", "[client][rfc5780-4]") {
  World world{box(independent, independent), {.other_answers = false}};
  const NatBehavior found = world.probe();
  CHECK(found.mapping == unsure<NatMapping>(Doubt::other_is_silent));
  CHECK(found.filtering == unsure<NatFiltering>(Doubt::other_is_silent));
}

TEST_CASE("a refused Binding is an open path with its code", "[client][rfc5780-4]") {
  World world{{}, {.refusal = 401}};
  const NatBehavior found = world.probe();
  CHECK(found.is_udp_open);
  CHECK(found.refusal == 401);
  CHECK_FALSE(found.mapped);
  CHECK(found.mapping == unsure<NatMapping>(Doubt::no_answer));
}

TEST_CASE("on a lossy path the answer is right or none", "[client][rfc5780-4]") {
  const auto mapping = GENERATE(independent, by_address, by_port);
  const auto filtering = GENERATE(independent, by_address, by_port);
  const unsigned loss = GENERATE(5U, 15U, 30U, 50U);
  int filterings_known = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    World world{box(mapping, filtering), {}, {.loss_percent = loss}, seed};
    const NatBehavior found = world.probe();
    CAPTURE(seed, loss, found.mapping, found.filtering);
    if (found.mapping.doubt == Doubt::none) {
      CHECK(found.mapping.value == mapping_of(mapping));
    }
    if (found.filtering.doubt != Doubt::none) continue;
    ++filterings_known;
    CHECK(found.filtering.value == filtering_of(filtering));
  }
  if (loss <= 5) CHECK(filterings_known >= 18);
}

TEST_CASE("loss and the spread of round trips are counted", "[client][rfc5780-4]") {
  World world{{}, {}, {.loss_percent = 30}, 3};
  const NatBehavior found = world.probe();
  CHECK(found.pings == 20);
  CHECK(found.rtts.size() < 20);
  CHECK(found.rtts.size() > 3);
}

TEST_CASE("a box that rewrites addresses in the payload is found", "[client][rfc5780-4]") {
  World world{{}, {}, {.has_alg = true}};
  CHECK(world.probe().alg == sure(Trial::yes));
  World silent{{}, {.tells_plain_address = false}};
  CHECK(silent.probe().alg == unsure<Trial>(Doubt::not_supported));
}

TEST_CASE("a path that drops fragments is found", "[client][rfc5780-4]") {
  World world{{}, {}, {.drops_fragments = true}};
  const NatBehavior found = world.probe();
  CHECK(found.fragments == sure(Trial::no));
  CHECK(found.mapping == sure(NatMapping::endpoint_independent));
}

TEST_CASE("a box that gives each socket another address is found", "[client][rfc4787-4.1]") {
  NatBox::Options options;
  options.addresses = 4;
  World world{options};
  CHECK(world.probe().is_pooled);
}

TEST_CASE("the lifetime of a binding lies between two that were tried", "[client][rfc5780-4.6]") {
  NatProbe::Options options;
  options.lifetimes = NatProbe::lifetimes_up_to(120s);
  NatBox::Options nat;

  SECTION("it ends in between") {
    nat.lifetime = 40s;
    const BindingLifetime found = World{nat}.probe(options).lifetime;
    CHECK(found.doubt == Doubt::none);
    CHECK(found.at_least == 30s);
    CHECK(found.less_than == 45s);
  }
  SECTION("it outlives everything that was tried") {
    nat.lifetime = 300s;
    World world{nat};
    const BindingLifetime found = world.probe(options).lifetime;
    CHECK(found.doubt == Doubt::none);
    CHECK(found.at_least == 120s);
    CHECK_FALSE(found.less_than);
    CHECK(world.took() < 130s);
  }
  SECTION("a server without RESPONSE-PORT cannot tell") {
    World world{nat, {.does_response_port = false}};
    CHECK(world.probe(options).lifetime.doubt == Doubt::not_supported);
  }
  SECTION("without a NAT there is no binding") {
    World world{no_nat(by_port)};
    CHECK(world.probe(options).lifetime.doubt == Doubt::no_nat);
  }
  SECTION("loss is not taken for the end") {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      nat.lifetime = 300s;
      World world{nat, {}, {.loss_percent = 40}, seed};
      const BindingLifetime found = world.probe(options).lifetime;
      if (found.doubt == Doubt::none) CHECK_FALSE(found.less_than);
    }
  }
  SECTION("it is not tried unless it is wanted") {
    CHECK(World{nat}.probe().lifetime.doubt == Doubt::not_asked);
  }
}

TEST_CASE("the lifetimes to try end with the longest wanted", "[client]") {
  CHECK(NatProbe::lifetimes_up_to(25s) == std::vector<seconds>{1s, 10s, 20s, 25s});
  CHECK(NatProbe::lifetimes_up_to(1s) == std::vector<seconds>{1s});
}

TEST_CASE("what is no answer to the probe is ignored", "[client]") {
  SeededRandom random{1};
  std::vector<Endpoint> locals(NatProbe::sockets({}), at("192.168.1.23:40000"));
  NatProbe probe{at("203.0.113.10:3478"), locals, {}, random};
  NatProbe::Sends sends;
  const Instant now{1h};
  probe.start(now, sends);
  REQUIRE(sends.size() == 1);
  const auto request = sends.front().bytes;
  probe.on_datagram(0, request, now, sends);  // its own request
  probe.on_datagram(0, bytes_of("not STUN at all"), now, sends);
  Bytes buffer(256);
  stun::MessageBuilder other{buffer, stun::Class::success, stun::Method::binding, {1, 2, 3}};
  probe.on_datagram(0, other.put_fingerprint().bytes(), now, sends);  // another's answer
  CHECK(sends.size() == 1);
  CHECK(probe.next_deadline() == now + 350ms);
}

TEST_CASE("the names of RFC 3489 follow from mapping and filtering", "[client][rfc3489-5]") {
  using M = NatMapping;
  using F = NatFiltering;
  CHECK(old_name(M::none, F::endpoint_independent) == "open internet");
  CHECK(old_name(M::none, F::address_dependent) == "symmetric UDP firewall");
  CHECK(old_name(M::endpoint_independent, F::endpoint_independent) == "full cone");
  CHECK(old_name(M::endpoint_independent, F::address_dependent) == "restricted cone");
  CHECK(old_name(M::endpoint_independent, F::address_and_port_dependent) == "port-restricted cone");
  CHECK(old_name(M::address_dependent, F::inconclusive) == "symmetric NAT");
  CHECK(old_name(M::endpoint_independent, F::inconclusive).empty());
  CHECK(old_name(M::inconclusive, F::endpoint_independent).empty());
}
