// RFC 8489 §10: 300 (Try Alternate). Nobody's server is filled for it: what is looked at is what
// one says that is full, or wants to be rid of its clients, anyway.
#include <algorithm>

#include "conformance/catalogue.h"

namespace turnpike::conformance {
namespace {

using client::Verified;
using stun::AttributeType;
using stun::Method;

/// The first of two Allocates that is answered with 300. Two, for a server with room for one.
Reply redirection(Session& session) {
  constexpr std::uint16_t try_alternate = 300;
  constexpr int clients = 2;
  for (int i = 0; i < clients; ++i) {
    Reply reply = session.open().request(
        Method::allocate, [&](stun::MessageBuilder& message) { session.put_udp_relay(message); });
    if (reply.error() == try_alternate) return reply;
  }
  not_tried("the server sends nobody elsewhere now (300)");
}

/// What its ALTERNATE-SERVERs name, in order.
std::vector<Endpoint> alternates_in(const Reply& reply) {
  std::vector<Endpoint> servers;
  for (const stun::AttributeView attribute : reply.view().attributes()) {
    if (attribute.type != AttributeType::alternate_server) continue;
    const auto server = stun::decode_address(attribute.value);
    if (!server) fail("an address in ALTERNATE-SERVER", describe(attribute.value));
    servers.push_back(*server);
  }
  return servers;
}

std::string text_of_all(const std::vector<Endpoint>& servers) {
  std::string text = servers.empty() ? "none" : "";
  for (const Endpoint& server : servers) {
    text += (text.empty() ? "" : ", then ") + server.to_string();
  }
  return text;
}

void names_a_server_of_the_family(Session& session) {
  const auto servers = alternates_in(redirection(session));
  const bool has_one = std::any_of(servers.begin(), servers.end(), [&](const Endpoint& server) {
    return server.family() == session.family();
  });
  expect(has_one, "an ALTERNATE-SERVER of the family that the request came over",
         text_of_all(servers));
}

void other_family_comes_after(Session& session) {
  const auto servers = alternates_in(redirection(session));
  const bool is_first = !servers.empty() && servers.front().family() == session.family();
  expect(is_first, "an ALTERNATE-SERVER of the request's own family first", text_of_all(servers));
}

void is_signed(Session& session) {
  const Reply reply = redirection(session);
  expect(*reply.verified == Verified::good, "integrity in a 300 behind the authentication",
         reply.describe() + " without it");
}

/// Letters, digits and hyphens between dots (RFC 1123 §2.1), which A-labels are made of too.
bool is_dns_name(std::string_view name) {
  constexpr std::size_t longest = 255;
  constexpr std::size_t longest_label = 63;
  if (name.empty() || name.size() > longest) return false;
  std::size_t label = 0;
  char before = '.';
  for (const char c : name) {
    const bool is_letter_or_digit =
        ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z') || ('0' <= c && c <= '9');
    if (c == '.' ? before == '.' || before == '-' : !is_letter_or_digit && c != '-') return false;
    if (c == '-' && before == '.') return false;
    label = c == '.' ? 0 : label + 1;
    if (label > longest_label) return false;
    before = c;
  }
  return before != '-';
}

void domain_is_a_name(Session& session) {
  const auto domain = redirection(session).text(AttributeType::alternate_domain);
  if (!domain) not_tried("the 300 names no ALTERNATE-DOMAIN: the certificate may be the same");
  expect(is_dns_name(*domain), "a DNS name of 255 or fewer characters",
         describe(bytes_of(*domain)));
}

}  // namespace

std::vector<Check> rfc8489_alternate_checks() {
  using enum Applies;
  using enum Strength;
  return {
      {"try-alternate-names-a-server-of-the-family", "23", "RFC 8489 §10",
       "A 300 has an ALTERNATE-SERVER of the same family as the request's source address.", must,
       everywhere, names_a_server_of_the_family},
      {"try-alternate-names-the-other-family-after-it", "23", "RFC 8489 §10",
       "An ALTERNATE-SERVER of the other family comes after the mandatory one.", should, everywhere,
       other_family_comes_after},
      {"try-alternate-is-signed", "23", "RFC 8489 §10",
       "A 300 to an authenticated request may be authenticated, or anybody could send clients "
       "away.",
       advice, everywhere, is_signed},
      {"alternate-domain-is-a-name", "23", "RFC 8489 §14.16", "ALTERNATE-DOMAIN is a DNS name.",
       must, secured, domain_is_a_name},
  };
}

}  // namespace turnpike::conformance
