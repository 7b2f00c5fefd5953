#include "client/nat_behavior.h"

#include <algorithm>

#include "stun/attributes.h"
#include "stun/builder.h"

namespace turnpike::client {
namespace {

using stun::AttributeType;

constexpr std::uint32_t change_ip = 4;
constexpr std::uint32_t change_port = 2;
/// More than the payload of any usual link: it must be fragmented (RFC 5780 §7.6).
constexpr std::size_t padding_bytes = 1500;

// The sockets. Filtering needs ones that have sent to nobody but the server's first address.
constexpr std::size_t mapping_socket = 0;
constexpr std::size_t change_both_socket = 1;
constexpr std::size_t change_port_socket = 2;
constexpr std::size_t hairpin_a_socket = 3;
constexpr std::size_t hairpin_b_socket = 4;
constexpr std::size_t padded_socket = 5;
constexpr std::size_t lifetime_asking_socket = 6;
constexpr std::size_t first_lifetime_socket = 7;

template <class Value>
Found<Value> certain(Value value) {
  return {value, Doubt::none};
}
template <class Value>
Found<Value> doubtful(Doubt doubt) {
  return {Value::inconclusive, doubt};
}

}  // namespace

std::string_view to_string(NatMapping mapping) {
  switch (mapping) {
    case NatMapping::none:
      return "none";
    case NatMapping::endpoint_independent:
      return "endpoint-independent";
    case NatMapping::address_dependent:
      return "address-dependent";
    case NatMapping::address_and_port_dependent:
      return "address-and-port-dependent";
    case NatMapping::inconclusive:
      break;
  }
  return "inconclusive";
}

std::string_view to_string(NatFiltering filtering) {
  switch (filtering) {
    case NatFiltering::endpoint_independent:
      return "endpoint-independent";
    case NatFiltering::address_dependent:
      return "address-dependent";
    case NatFiltering::address_and_port_dependent:
      return "address-and-port-dependent";
    case NatFiltering::inconclusive:
      break;
  }
  return "inconclusive";
}

std::string_view to_string(Trial trial) {
  switch (trial) {
    case Trial::no:
      return "no";
    case Trial::yes:
      return "yes";
    case Trial::inconclusive:
      break;
  }
  return "inconclusive";
}

std::string_view to_string(Doubt doubt) {
  switch (doubt) {
    case Doubt::none:
      return "none";
    case Doubt::no_answer:
      return "no-answer";
    case Doubt::no_other_address:
      return "no-other-address";
    case Doubt::other_is_silent:
      return "other-address-is-silent";
    case Doubt::not_supported:
      return "not-supported";
    case Doubt::lossy:
      return "lossy";
    case Doubt::contradiction:
      return "contradiction";
    case Doubt::no_nat:
      return "no-nat";
    case Doubt::not_asked:
      break;
  }
  return "not-asked";
}

std::string_view old_name(NatMapping mapping, NatFiltering filtering) {
  if (mapping == NatMapping::inconclusive) return "";
  const bool is_open = filtering == NatFiltering::endpoint_independent;
  if (mapping == NatMapping::address_dependent ||
      mapping == NatMapping::address_and_port_dependent) {
    return "symmetric NAT";
  }
  if (filtering == NatFiltering::inconclusive) return "";
  if (mapping == NatMapping::none) return is_open ? "open internet" : "symmetric UDP firewall";
  if (is_open) return "full cone";
  return filtering == NatFiltering::address_dependent ? "restricted cone" : "port-restricted cone";
}

std::size_t NatProbe::sockets(const Options& options) {
  if (options.lifetimes.empty()) return lifetime_asking_socket;
  return first_lifetime_socket + options.lifetimes.size();
}

std::vector<seconds> NatProbe::lifetimes_up_to(seconds longest) {
  // The first one is the trial of the trial: a binding that does not live for a second is none.
  std::vector<seconds> lifetimes{seconds{1}};
  for (const seconds one : {seconds{10}, seconds{20}, seconds{30}, seconds{45}, seconds{60},
                            seconds{90}, seconds{120}, seconds{180}, seconds{300}}) {
    if (one < longest) lifetimes.push_back(one);
  }
  if (longest > lifetimes.back()) lifetimes.push_back(longest);
  return lifetimes;
}

NatProbe::NatProbe(const Endpoint& server, std::vector<Endpoint> locals, Options options,
                   Random& random)
    : server_(server), locals_(std::move(locals)), options_(std::move(options)), random_(random) {
  TURNPIKE_ASSERT(locals_.size() == sockets(options_));
}

// --- Asking --------------------------------------------------------------------------------------

void NatProbe::start(Instant now, Sends& sends) {
  ask({Topic::first}, {.socket = mapping_socket, .to = server_}, now, sends);
}

void NatProbe::ask(Key key, Question question, Instant now, Sends& sends) {
  random_.fill(question.id);
  Question& kept = questions_.insert_or_assign(key, question).first->second;
  transmit(key, kept, now, sends);
}

void NatProbe::transmit(Key key, Question& question, Instant now, Sends& sends) {
  if (question.is_controlled) ping(question.socket, key, now, sends);
  sends.push_back({question.socket, question.to, request(question)});
  question.state = State::pending;
  ++question.sent;
  const bool is_last = question.sent == options_.transmissions;
  question.next = now + (is_last ? options_.patience : options_.interval);
}

void NatProbe::ping(std::size_t socket, std::optional<Key> control_of, Instant now, Sends& sends) {
  Ping ping{control_of, socket, {}, now};
  random_.fill(ping.id);
  Question plain{.socket = socket, .to = server_};
  plain.id = ping.id;
  sends.push_back({socket, server_, request(plain)});
  pings_.push_back(ping);
}

std::vector<std::uint8_t> NatProbe::request(const Question& question) const {
  std::vector<std::uint8_t> buffer(stun::max_own_message_bytes);
  stun::MessageBuilder message{buffer, stun::Class::request, stun::Method::binding, question.id};
  if (question.change) message.put_u32(AttributeType::change_request, *question.change);
  if (question.response_port) {
    std::array<std::uint8_t, 2> port{};
    store_be16(port, *question.response_port);
    message.put(AttributeType::response_port, port);
  }
  if (question.is_padded) {
    message.put(AttributeType::padding, std::vector<std::uint8_t>(padding_bytes));
  }
  buffer.resize(message.put_fingerprint().bytes().size());
  return buffer;
}

std::optional<Instant> NatProbe::next_deadline() const {
  std::optional<Instant> earliest;
  const auto consider = [&earliest](Instant instant) {
    if (!earliest || instant < *earliest) earliest = instant;
  };
  for (const auto& [key, question] : questions_) {
    if (question.state == State::pending || question.state == State::scheduled) {
      consider(question.next);
    }
  }
  if (pings_left_ > 0) consider(next_ping_);
  // Questions wait for their controls; only the counted pings may be the last thing there is.
  for (const Ping& ping : pings_) {
    if (!ping.rtt && !ping.is_lost && !ping.control_of) consider(ping.sent + options_.patience);
  }
  return earliest;
}

void NatProbe::on_deadline(Instant now, Sends& sends) {
  for (auto& [key, question] : questions_) {
    const bool waits = question.state == State::pending || question.state == State::scheduled;
    if (!waits || now < question.next) continue;
    if (question.sent == options_.transmissions) {
      question.state = State::silent;
    } else {
      transmit(key, question, now, sends);
    }
  }
  if (pings_left_ > 0 && now >= next_ping_) {
    --pings_left_;
    next_ping_ = now + options_.ping_interval;
    ping(mapping_socket, std::nullopt, now, sends);
  }
  for (Ping& ping : pings_) {
    if (!ping.rtt && now >= ping.sent + options_.patience) ping.is_lost = true;
  }
}

// --- Answers -------------------------------------------------------------------------------------

void NatProbe::on_datagram(std::size_t socket, ByteView datagram, Instant now, Sends& sends) {
  const auto message = stun::MessageView::parse(datagram);
  if (!message || message->method() != stun::Method::binding) return;
  const stun::TransactionId id = message->transaction_id();
  for (Ping& ping : pings_) {
    if (ping.id != id || ping.socket != socket || ping.rtt || ping.is_lost) continue;
    if (message->message_class() != stun::Class::request) ping.rtt = now - ping.sent;
    return;
  }
  const auto found = std::find_if(questions_.begin(), questions_.end(), [&id](const auto& one) {
    return one.second.id == id && one.second.state == State::pending;
  });
  if (found != questions_.end()) on_answer(found->first, socket, *message, now, sends);
}

void NatProbe::on_answer(Key key, std::size_t socket, const stun::MessageView& message, Instant now,
                         Sends& sends) {
  Question& question = questions_.at(key);
  if (key.topic == Topic::across_a || key.topic == Topic::across_b) {
    // Not an answer: the request itself, come back from the NAT to the other socket.
    const bool is_back =
        message.message_class() == stun::Class::request && socket != question.socket;
    if (is_back) question.state = State::answered;
    return;
  }
  if (message.message_class() == stun::Class::error) {
    const auto value = message.find(AttributeType::error_code);
    const auto error = value ? stun::decode_error_code(*value) : std::nullopt;
    question.error = error ? error->code : 0;
    question.state = State::refused;
    return;
  }
  if (message.message_class() != stun::Class::success) return;
  if (key.topic == Topic::lifetime_again) {
    // At the asking socket it says that the NAT has given the port to that one: the binding is
    // gone.
    question.state = socket == question.socket ? State::silent : State::answered;
    return;
  }
  if (socket != question.socket) return;
  if (const auto value = message.find(AttributeType::xor_mapped_address)) {
    question.mapped = stun::decode_xor_address(*value, message.transaction_id());
  }
  if (const auto value = message.find(AttributeType::mapped_address)) {
    question.plain_mapped = stun::decode_address(*value);
  }
  if (!question.mapped) question.mapped = question.plain_mapped;  // a server of RFC 3489
  if (!question.mapped) return;
  question.is_answer_padded = message.has(AttributeType::padding);
  question.state = State::answered;
  if (key.topic == Topic::first) {
    if (const auto value = message.find(AttributeType::other_address)) {
      other_ = stun::decode_address(*value);
    }
    on_first_answer(now, sends);
  }
  if (key.topic == Topic::hairpin_a || key.topic == Topic::hairpin_b) cross_hairpins(now, sends);
  if (key.topic == Topic::lifetime_first) schedule_lifetime(key.index, now);
}

/// The two must differ in address and port, or there is nothing to compare.
bool NatProbe::has_other() const {
  return other_ && other_->family() == server_.family() && other_->address != server_.address &&
         other_->port != server_.port && other_->port != 0;
}

void NatProbe::on_first_answer(Instant now, Sends& sends) {
  pings_left_ = options_.pings;
  next_ping_ = now + options_.ping_interval;
  const bool is_translated = find(Topic::first)->mapped != locals_[mapping_socket];
  if (has_other()) {
    const auto at = [](const Endpoint& to) { return Question{.socket = mapping_socket, .to = to}; };
    ask({Topic::other_address}, at({other_->address, server_.port}), now, sends);
    ask({Topic::other_both}, at(*other_), now, sends);
    ask({Topic::other_port}, at({server_.address, other_->port}), now, sends);
    Question both{.socket = change_both_socket, .to = server_};
    both.change = change_ip | change_port;
    both.is_controlled = true;
    ask({Topic::change_both}, both, now, sends);
    Question port{.socket = change_port_socket, .to = server_};
    port.change = change_port;
    port.is_controlled = true;
    ask({Topic::change_port}, port, now, sends);
  }
  Question padded{.socket = padded_socket, .to = server_};
  padded.is_padded = true;
  padded.is_controlled = true;
  ask({Topic::padded}, padded, now, sends);
  if (is_translated) {
    ask({Topic::hairpin_a}, {.socket = hairpin_a_socket, .to = server_}, now, sends);
    ask({Topic::hairpin_b}, {.socket = hairpin_b_socket, .to = server_}, now, sends);
  }
  for (std::size_t i = 0; is_translated && i < options_.lifetimes.size(); ++i) {
    ask({Topic::lifetime_first, i}, {.socket = first_lifetime_socket + i, .to = server_}, now,
        sends);
  }
}

/// Both at once: where the NAT filters what it hairpins, each opens the way for the other.
void NatProbe::cross_hairpins(Instant now, Sends& sends) {
  const Question* const a = find(Topic::hairpin_a);
  const Question* const b = find(Topic::hairpin_b);
  if (a->state != State::answered || b == nullptr || b->state != State::answered) return;
  ask({Topic::across_a}, {.socket = hairpin_a_socket, .to = *b->mapped}, now, sends);
  ask({Topic::across_b}, {.socket = hairpin_b_socket, .to = *a->mapped}, now, sends);
}

/// RFC 5780 §4.6: after a while another socket asks for an answer to the binding.
void NatProbe::schedule_lifetime(std::size_t index, Instant now) {
  Question again{.socket = lifetime_asking_socket, .to = server_};
  again.response_port = find(Topic::lifetime_first, index)->mapped->port;
  again.is_controlled = true;
  again.state = State::scheduled;
  again.next = now + options_.lifetimes[index];
  random_.fill(again.id);
  questions_.insert_or_assign({Topic::lifetime_again, index}, again);
}

// --- Conclusions ---------------------------------------------------------------------------------

const NatProbe::Question* NatProbe::find(Topic topic, std::size_t index) const {
  const auto found = questions_.find({topic, index});
  return found == questions_.end() ? nullptr : &found->second;
}

NatProbe::State NatProbe::state_of(Topic topic, std::size_t index) const {
  const Question* const question = find(topic, index);
  return question == nullptr ? State::silent : question->state;
}

/// At most a third of the controls may be lost: that all of six transmissions were lost by chance
/// has then a probability of 0.0014 at most.
bool NatProbe::is_silence_certain(Key key) const {
  std::uint32_t sent = 0;
  std::uint32_t answered = 0;
  for (const Ping& ping : pings_) {
    if (ping.control_of != key) continue;
    ++sent;
    if (ping.rtt) ++answered;
  }
  return sent >= 3 && answered * 3 >= sent * 2;
}

Found<NatMapping> NatProbe::mapping() const {
  const auto doubt = [](Doubt reason) { return doubtful<NatMapping>(reason); };
  const auto first = find(Topic::first)->mapped;
  if (!first) return doubt(Doubt::no_answer);
  const bool is_translated = first != locals_[mapping_socket];
  if (!has_other()) {
    return is_translated ? doubt(Doubt::no_other_address) : certain(NatMapping::none);
  }
  const auto second = find(Topic::other_address)->mapped;
  const auto third = find(Topic::other_both)->mapped;
  const auto fourth = find(Topic::other_port)->mapped;
  if (!is_translated) {
    const bool all = (!second || second == first) && (!third || third == first);
    return all ? certain(NatMapping::none) : doubt(Doubt::contradiction);
  }
  if (!second) return doubt(Doubt::other_is_silent);
  if (second == first) {
    const bool fits = (!third || third == first) && (!fourth || fourth == first);
    return fits ? certain(NatMapping::endpoint_independent) : doubt(Doubt::contradiction);
  }
  if (!third) return doubt(Doubt::other_is_silent);
  if (third != second) return certain(NatMapping::address_and_port_dependent);
  if (fourth && fourth != first) return doubt(Doubt::contradiction);
  return certain(NatMapping::address_dependent);
}

Found<NatFiltering> NatProbe::filtering() const {
  const auto doubt = [](Doubt reason) { return doubtful<NatFiltering>(reason); };
  if (!find(Topic::first)->mapped) return doubt(Doubt::no_answer);
  if (!has_other()) return doubt(Doubt::no_other_address);
  const State both = state_of(Topic::change_both);
  const State port = state_of(Topic::change_port);
  if (both == State::answered) return certain(NatFiltering::endpoint_independent);
  if (both == State::refused || port == State::refused) return doubt(Doubt::not_supported);
  // Silence means something only where the same address is known to answer.
  if (state_of(Topic::other_both) != State::answered) return doubt(Doubt::other_is_silent);
  if (!is_silence_certain({Topic::change_both})) return doubt(Doubt::lossy);
  if (port == State::answered) return certain(NatFiltering::address_dependent);
  if (state_of(Topic::other_port) != State::answered) return doubt(Doubt::other_is_silent);
  if (!is_silence_certain({Topic::change_port})) return doubt(Doubt::lossy);
  return certain(NatFiltering::address_and_port_dependent);
}

Found<Trial> NatProbe::fragments() const {
  const Question* const padded = find(Topic::padded);
  if (padded == nullptr) return doubtful<Trial>(Doubt::no_answer);
  if (padded->state == State::refused) return doubtful<Trial>(Doubt::not_supported);
  if (padded->state == State::answered) {
    return padded->is_answer_padded ? certain(Trial::yes) : doubtful<Trial>(Doubt::not_supported);
  }
  // A server of RFC 8489 alone answers 420; one that is older may do anything.
  if (!has_other()) return doubtful<Trial>(Doubt::not_supported);
  return is_silence_certain({Topic::padded}) ? certain(Trial::no) : doubtful<Trial>(Doubt::lossy);
}

Found<Trial> NatProbe::hairpin() const {
  const auto first = find(Topic::first)->mapped;
  if (!first) return doubtful<Trial>(Doubt::no_answer);
  if (first == locals_[mapping_socket]) return doubtful<Trial>(Doubt::no_nat);
  if (find(Topic::across_a) == nullptr) return doubtful<Trial>(Doubt::lossy);
  const bool came =
      state_of(Topic::across_a) == State::answered || state_of(Topic::across_b) == State::answered;
  return certain(came ? Trial::yes : Trial::no);
}

/// Nobody would rewrite the exclusive or of an address: they do not know that it is one.
Found<Trial> NatProbe::alg() const {
  const Question& first = *find(Topic::first);
  if (!first.mapped) return doubtful<Trial>(Doubt::no_answer);
  if (!first.plain_mapped) return doubtful<Trial>(Doubt::not_supported);
  return certain(first.plain_mapped == first.mapped ? Trial::no : Trial::yes);
}

BindingLifetime NatProbe::lifetime() const {
  BindingLifetime found;
  if (options_.lifetimes.empty()) return found;
  const auto first = find(Topic::first)->mapped;
  const auto in_doubt = [&found](Doubt doubt) {
    found = {{}, {}, doubt};
    return found;
  };
  if (!first) return in_doubt(Doubt::no_answer);
  if (first == locals_[mapping_socket]) return in_doubt(Doubt::no_nat);
  for (std::size_t i = 0; i < options_.lifetimes.size(); ++i) {
    const State state = state_of(Topic::lifetime_again, i);
    if (state == State::refused) return in_doubt(Doubt::not_supported);
    if (state == State::answered) {
      if (found.less_than) return in_doubt(Doubt::contradiction);
      found.at_least = options_.lifetimes[i];
    } else if (!is_silence_certain({Topic::lifetime_again, i})) {
      return in_doubt(Doubt::lossy);
    } else if (!found.less_than) {
      found.less_than = options_.lifetimes[i];
    }
    if (i == 0 && state != State::answered) return in_doubt(Doubt::not_supported);
  }
  found.doubt = Doubt::none;
  return found;
}

NatBehavior NatProbe::result() const {
  NatBehavior result;
  const Question& first = *find(Topic::first);
  result.is_udp_open = first.state == State::answered || first.state == State::refused;
  result.refusal = first.error;
  result.local = locals_[mapping_socket];
  result.mapped = first.mapped;
  result.other = other_;
  for (const auto& [key, question] : questions_) {
    if (!question.mapped || !first.mapped) continue;
    if (question.mapped->address != first.mapped->address) result.is_pooled = true;
    if (question.socket == mapping_socket) ++result.destinations;
  }
  for (const Ping& ping : pings_) {
    if (ping.control_of) continue;
    ++result.pings;
    if (ping.rtt) result.rtts.push_back(*ping.rtt);
  }
  std::sort(result.rtts.begin(), result.rtts.end());
  result.alg = alg();
  result.fragments = fragments();
  result.hairpin = hairpin();
  result.mapping = mapping();
  result.filtering = filtering();
  result.lifetime = lifetime();
  if (!first.mapped) return result;
  result.port_preserved =
      result.mapping.value == NatMapping::none
          ? doubtful<Trial>(Doubt::no_nat)
          : certain(first.mapped->port == result.local->port ? Trial::yes : Trial::no);
  return result;
}

}  // namespace turnpike::client
