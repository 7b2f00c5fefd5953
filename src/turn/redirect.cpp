#include "turn/redirect.h"

#include <algorithm>

#include "turn/server.h"

namespace turnpike::turn {
namespace {

bool is_secured(Transport transport) {
  return transport == Transport::tls || transport == Transport::dtls;
}

std::optional<Endpoint> draw(const std::vector<Endpoint>& servers, Family family, Random& random) {
  const auto is_of_family = [&](const Endpoint& server) { return server.family() == family; };
  const auto count =
      static_cast<std::uint64_t>(std::count_if(servers.begin(), servers.end(), is_of_family));
  if (count == 0) return std::nullopt;
  std::uint64_t skipped = random.next_u64() % count;
  return *std::find_if(servers.begin(), servers.end(), [&](const Endpoint& server) {
    return is_of_family(server) && skipped-- == 0;
  });
}

}  // namespace

std::optional<Redirection> choose_redirection(const Alternates& alternates, const FiveTuple& client,
                                              Random& random) {
  const auto& servers = is_secured(client.transport) ? alternates.tls_servers : alternates.servers;
  const Family family = client.client.family();
  const auto server = draw(servers, family, random);
  if (!server) return std::nullopt;
  const Family other = family == Family::ipv4 ? Family::ipv6 : Family::ipv4;
  return Redirection{*server, draw(servers, other, random)};
}

/// What an Allocate for which there is no room gets: 300 and another server, or 508. Whoever calls
/// this has authenticated the client and signs the answer (RFC 8489 §14.8).
stun::ErrorCode Server::put_no_room(stun::MessageBuilder& response, const FiveTuple& client,
                                    auth::ResponseIntegrity integrity) {
  const auto redirection = choose_redirection(settings_.alternates, client, random_);
  if (!redirection) {
    response.put_error_code(stun::ErrorCode::insufficient_capacity);
    return stun::ErrorCode::insufficient_capacity;
  }
  response.put_error_code(stun::ErrorCode::try_alternate)
      .put_address(stun::AttributeType::alternate_server, redirection->server);
  if (redirection->other) {
    response.put_address(stun::AttributeType::alternate_server, *redirection->other);
  }
  // MESSAGE-INTEGRITY-SHA256 tells that the client knows the attribute (RFC 8489 §10).
  const bool names_domain = is_secured(client.transport) && !settings_.alternates.domain.empty() &&
                            integrity == auth::ResponseIntegrity::sha256;
  if (names_domain) {
    response.put_text(stun::AttributeType::alternate_domain, settings_.alternates.domain);
  }
  return stun::ErrorCode::try_alternate;
}

Reason Server::refuse_for_room(const Request& request) {
  stun::MessageBuilder response{scratch_, stun::Class::error, request.message.method(),
                                request.message.transaction_id()};
  const auto code = put_no_room(response, request.flow.tuple, request.principal.integrity);
  finish(request, response, static_cast<std::uint16_t>(code));
  return code == stun::ErrorCode::try_alternate ? Reason::refused_try_alternate
                                                : Reason::refused_capacity;
}

}  // namespace turnpike::turn
