// RFC 7443 and RFC 7301: protocol names in the TLS handshake; and what else a good handshake does.
#include "conformance/catalogue.h"

namespace turnpike::conformance {
namespace {

using stun::Method;

void selects(Session& session, const std::string& name) {
  FlowOptions options;
  options.alpn = {"turnpike-conformance/none", name};
  const auto flow = session.try_open(options);
  if (!flow) fail("a connection for who offers " + name, flow.error().text);
  const std::string chosen = (*flow)->connection().alpn();
  if (chosen.empty()) not_supported("the server takes no part in ALPN");
  expect(chosen == name, name, chosen);
  const Reply reply = (*flow)->request_unsigned(Method::binding);
  if (reply.error() != 401) expect_success(reply);
}

void selects_turn(Session& session) { selects(session, "stun.turn"); }
void selects_nat_discovery(Session& session) { selects(session, "stun.nat-discovery"); }

void foreign_names_are_refused(Session& session) {
  FlowOptions options;
  options.alpn = {"stun.turn"};
  const auto known = session.try_open(options);
  if (!known || (*known)->connection().alpn().empty()) {
    not_supported("the server takes no part in ALPN");
  }
  options.alpn = {"turnpike-conformance/none"};
  const auto flow = session.try_open(options);
  if (flow) {
    const std::string chosen = (*flow)->connection().alpn();
    fail("the alert no_application_protocol",
         chosen.empty() ? "a connection without a protocol" : "a connection for " + chosen);
  }
  expect(flow.error().handshake &&
             flow.error().text.find("no application protocol") != std::string::npos,
         "the alert no_application_protocol", flow.error().text);
}

void no_names_are_fine(Session& session) {
  Flow& flow = session.open();
  expect(flow.connection().alpn().empty(), "no protocol for who offers none",
         flow.connection().alpn());
  const Reply reply = flow.request_unsigned(Method::binding);
  if (reply.error() != 401) expect_success(reply);
}

// --- The handshake itself ------------------------------------------------------------------------

net::TlsConnection connect(Session& session, const net::TlsConnectionOptions& options) {
  const Settings& settings = session.settings();
  auto connection = net::TlsConnection::connect(session.transport(), settings.server, options,
                                                clock_now() + settings.timing.connect_timeout);
  if (!connection) fail("a connection", connection.error().text);
  return std::move(*connection);
}

net::TlsConnectionOptions plain_options(const Session& session) {
  net::TlsConnectionOptions options;
  options.server_name = session.settings().server_name;
  return options;
}

void certificate_is_in_force(Session& session) {
  const auto connection = connect(session, plain_options(session));
  expect(connection.certificate_is_in_force(), "a certificate that is valid now",
         "one that has run out, or is not valid yet");
}

void sessions_resume(Session& session) {
  net::TlsConnectionOptions options = plain_options(session);
  auto first = connect(session, options);
  // TLS 1.3: what a client resumes with comes with the first data.
  const Bytes request = session.open().build_request(Method::binding);
  if (!first.send(request, session.soon()) ||
      !first.receive(clock_now() + session.settings().timing.connect_timeout)) {
    fail("an answer to a Binding request", "nothing");
  }
  options.resume = first.resumption();
  const auto second = connect(session, options);
  expect(second.is_resumed(), "the second handshake resumes the first", "a full handshake");
}

}  // namespace

std::vector<Check> rfc7443_checks() {
  using enum Applies;
  using enum Strength;
  return {
      {"alpn-selects-stun-turn", "75", "RFC 7443 §1, RFC 7301 §3.2",
       "The server should select stun.turn for who offers it.", should, secured, selects_turn},
      {"alpn-selects-stun-nat-discovery", "75", "RFC 7443 §1, RFC 7301 §3.2",
       "The server should select stun.nat-discovery for who offers it.", should, secured,
       selects_nat_discovery},
      {"alpn-without-a-known-name-is-refused", "75", "RFC 7301 §3.2",
       "With no name in common the server shall answer with no_application_protocol.", must,
       secured, foreign_names_are_refused},
      {"alpn-is-not-needed", "75", "RFC 7301 §3.1",
       "Clients without ALPN are served, and no protocol is selected.", must, secured,
       no_names_are_fine},
      {"tls-certificate-is-in-force", "25", "RFC 8489 §6.2.3",
       "The server's certificate is valid today.", advice, secured, certificate_is_in_force},
      {"tls-sessions-resume", "25", "RFC 8489 §6.2.3",
       "A client that comes again is spared half of the handshake.", advice, secured,
       sessions_resume},
  };
}

}  // namespace turnpike::conformance
