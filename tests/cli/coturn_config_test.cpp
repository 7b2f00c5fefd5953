#include "cli/coturn_config.h"

#include <sstream>

#include "auth/credentials.h"
#include "catch.h"
#include "server/config_load.h"
#include "server/scratch_directory.h"

using namespace turnpike;
using namespace turnpike::cli::coturn;
using turnpike::test::ScratchDirectory;

namespace {

const std::string secret = "north-of-the-river-32-bytes-long-secret";
const std::string fresh = "made-for-this-import-0123456789-abcdefg";

Import convert_text(const std::string& text, std::optional<Database> database = std::nullopt,
                    const std::string& directory = "/nonexistent", const std::string& store = {}) {
  return convert({parse_options(text), directory, std::move(database), fresh, store});
}

const std::string store_path = "/nonexistent/turnpike.db";

/// The same, with a store for users of whom only the key is known.
Import convert_with_store(const std::string& text,
                          std::optional<Database> database = std::nullopt) {
  return convert_text(text, std::move(database), "/nonexistent", store_path);
}

/// As `turnpike config check` does it.
server::Config loaded(const Import& import) {
  server::ConfigSources sources;
  sources.file = server::ConfigFile{"turnpike.toml", to_toml(import.settings, "turnserver.conf")};
  const auto result = server::load_config(sources);
  if (!result) {
    for (const auto& error : result.error()) UNSCOPED_INFO(error.to_string());
    UNSCOPED_INFO(sources.file->text);
  }
  REQUIRE(result);
  return result->config;
}

server::Config config_of(const std::string& text) { return loaded(convert_text(text)); }

/// What is said of the options called `name`, as "fate" or "fate key".
std::vector<std::string> said_of(const Import& import, const std::string& name) {
  std::vector<std::string> said;
  for (const Remark& remark : import.remarks) {
    if (remark.option != name || remark.line == 0) continue;
    said.push_back(std::string{to_string(remark.fate)} +
                   (remark.key.empty() ? "" : " " + remark.key));
  }
  return said;
}

std::vector<std::string> listeners(const std::vector<server::ListenAddress>& addresses) {
  std::vector<std::string> texts;
  for (const auto& address : addresses) texts.push_back(address.to_string());
  return texts;
}

std::vector<std::string> rules(const std::vector<turn::PeerRule>& some) {
  std::vector<std::string> texts;
  for (const auto& rule : some) texts.push_back(server::peer_rule_text(rule));
  return texts;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("coturn's lines are a name, an equals sign or blanks, and a value", "[cli]") {
  const auto options = parse_options(
      "# a comment\n\n  realm = example.org  \r\nlt-cred-mech\nuser=a:b=c d\n"
      "pidfile=\"/run/x\"\nmin-port 50000\ncli-password=");
  REQUIRE(options.size() == 6);
  CHECK(options[0].line == 3);
  CHECK(options[0].name == "realm");
  CHECK(options[0].value == "example.org");
  CHECK(options[1].name == "lt-cred-mech");
  CHECK_FALSE(options[1].value);
  CHECK(options[2].value == "a:b=c d");
  CHECK(options[3].value == "/run/x");
  CHECK(options[4].name == "min-port");
  CHECK(options[4].value == "50000");
  CHECK(options[5].value == "");
  CHECK(parse_options("").empty());
}

TEST_CASE("a usual configuration of coturn is imported without loss", "[cli]") {
  const Import import = convert_text(
      "listening-port=3479\nrealm=example.org\nuse-auth-secret\n"
      "static-auth-secret=" +
      secret + "\nstatic-auth-secret=" + secret +
      "2\n"
      "min-port=50000\nmax-port=50999\nfingerprint\nno-cli\n"
      "user-quota=20\ntotal-quota=300\nstale-nonce=900\n"
      "relay-threads=3\nmobility\nkeep-address-family\n"
      "max-allocate-lifetime=1800\nno-tcp-relay\nno-tls\n");
  for (const Remark& remark : import.remarks) {
    INFO(remark.option << ": " << remark.text);
    CHECK(remark.fate != Fate::lost);
  }
  const server::Config config = loaded(import);
  CHECK(config.realm == "example.org");
  CHECK(listeners(config.listen.udp) == Texts{":3479"});
  CHECK(listeners(config.listen.tcp) == Texts{":3479"});
  CHECK(config.listen.tls.empty());
  CHECK(config.listen.dtls.empty());
  REQUIRE(config.auth.secrets.size() == 2);
  CHECK(config.auth.secrets[0].value == secret);
  CHECK(config.auth.secrets[1].value == secret + "2");
  CHECK(config.relay.ports == PortRange{50000, 50999});
  CHECK(config.relay.max_allocations_per_user == 20);
  CHECK(config.relay.max_allocations == 300);
  CHECK(config.auth.nonce_lifetime == seconds{900});
  CHECK(config.workers == 3);
  CHECK(config.relay.mobility);
  CHECK(config.relay.address_family == server::AddressFamilyPolicy::follow_client);
  CHECK(config.relay.max_lifetime == seconds{1800});
  CHECK_FALSE(config.relay.tcp);
}

TEST_CASE("an import opens no rooms and no metrics, which coturn does not have by default",
          "[cli]") {
  const server::Config config = config_of("");
  CHECK_FALSE(config.signaling.enabled);
  CHECK_FALSE(config.metrics.listen);
  const server::Config with_metrics = config_of("prometheus\nprometheus-port=9700\n");
  REQUIRE(with_metrics.metrics.listen);
  CHECK(with_metrics.metrics.listen->to_string() == "127.0.0.1:9700");
}

TEST_CASE("a configuration that lets everybody in lets only a new secret in", "[cli]") {
  for (const char* text : {"", "no-auth\n", "stun-only\nuser=alice:wonderland\n",
                           "use-auth-secret\nuser=alice:wonderland\n"}) {
    INFO(text);
    const server::Config config = config_of(text);
    REQUIRE(config.auth.secrets.size() == 1);
    CHECK(config.auth.secrets[0].value == fresh);
    CHECK(config.auth.users.empty());
  }
  CHECK(said_of(convert_text("no-auth\n"), "no-auth") == Texts{"stricter"});
}

TEST_CASE("users with passwords become users, those with keys are named", "[cli]") {
  const Import import = convert_text(
      "realm=north.gov\nuser=alice:wonder:land\nuser=alice:later\n"
      "user=ninefingers:0xbc807ee29df3c9ffa736523fb2c4e8ee\nuser=nobody\nuser=:x\n");
  const server::Config config = loaded(import);
  REQUIRE(config.auth.users.size() == 1);
  CHECK(config.auth.users[0].name == "alice");
  CHECK(config.auth.users[0].password == "later");
  CHECK(config.auth.secrets.empty());
  CHECK(import.users.empty());  // there is no store to put them into
  CHECK(said_of(import, "user") == Texts{"mapped auth.users", "mapped auth.users", "lost",
                                         "lost auth.users", "lost auth.users"});
}

TEST_CASE("with a store, users with keys go there, and MD5 alone is offered", "[cli]") {
  const Import import = convert_with_store(
      "realm=north.gov\nuser=gorst:hero\n"
      "user=ninefingers:0xbc807ee29df3c9ffa736523fb2c4e8ee\n");
  CHECK(said_of(import, "user") == Texts{"mapped auth.users", "mapped store"});
  REQUIRE(import.users.size() == 1);
  CHECK(import.users[0].name == "ninefingers");
  CHECK(import.users[0].realm == "north.gov");
  CHECK(import.users[0].md5 == auth::long_term_key(stun::PasswordAlgorithm::md5, "ninefingers",
                                                   "north.gov", "youhavetoberealistic"));
  CHECK(import.users[0].sha256.empty());
  const server::Config config = loaded(import);
  CHECK(config.store.path == store_path);
  CHECK(config.auth.algorithms == std::vector{stun::PasswordAlgorithm::md5});
  CHECK(config.auth.secrets.empty());  // the users are a way in: no secret is made up

  const Import empty = convert_with_store("realm=north.gov\nuser=gorst:hero\n");
  CHECK(loaded(empty).store.path == store_path);
  CHECK(loaded(empty).auth.algorithms.size() == 2);
}

TEST_CASE("keys that are none, or have no realm, are lost with a store too", "[cli]") {
  const std::string key = "bc807ee29df3c9ffa736523fb2c4e8ee";
  for (const std::string& lines :
       {"user=a:0x" + key + "\n", "realm=r\nuser=a:0x" + key + "0\n",
        std::string{"realm=r\nuser=a:0x\n"}, "realm=r\nuser=a:0x" + key.substr(1) + "g\n"}) {
    CAPTURE(lines);
    const Import import = convert_with_store(lines);
    CHECK(said_of(import, "user") == Texts{"lost"});
    CHECK(import.users.empty());
    for (const Remark& remark : import.remarks) CHECK(remark.text.find(key) == std::string::npos);
  }
  const Import sha256 = convert_with_store("realm=r\nuser=a:0x" + key + key + "\n");
  REQUIRE(sha256.users.size() == 1);
  CHECK(sha256.users[0].sha256.size() == 32);
  CHECK(sha256.users[0].md5.empty());
  CHECK(loaded(sha256).auth.algorithms.size() == 2);
}

TEST_CASE("of two users of one name the last line counts, and the file before the database",
          "[cli]") {
  const std::string key = "bc807ee29df3c9ffa736523fb2c4e8ee";
  const std::string other = "a4983b36a4ba1bf01e71ad240b234e4b";
  Database database;
  database.users = {{"r", "alice", other}, {"r", "bob", other}};
  const Import key_last =
      convert_with_store("realm=r\nuser=alice:pw\nuser=alice:0x" + key + "\n", database);
  CHECK(loaded(key_last).auth.users.empty());
  REQUIRE(key_last.users.size() == 2);
  CHECK(key_last.users[0].name == "alice");
  CHECK(key_last.users[0].md5.front() == 0xbc);
  CHECK(key_last.users[1].name == "bob");
  const Import password_last =
      convert_with_store("realm=r\nuser=alice:0x" + key + "\nuser=alice:pw\n");
  CHECK(loaded(password_last).auth.users.size() == 1);
  CHECK(password_last.users.empty());
}

TEST_CASE("a weak secret is left out, and no remark repeats a secret", "[cli]") {
  const Import import = convert_text("static-auth-secret=north\nstatic-auth-secret=" + secret +
                                     "\nuser=alice:wonderland\n");
  CHECK(said_of(import, "static-auth-secret") == Texts{"lost auth.secrets", "mapped auth.secrets"});
  CHECK(loaded(import).auth.secrets.size() == 1);
  for (const Remark& remark : import.remarks) {
    for (const std::string& word : {secret, std::string{"wonderland"}, std::string{"\"north\""}}) {
      CHECK(remark.text.find(word) == std::string::npos);
    }
  }
}

TEST_CASE("listening addresses and ports make listeners", "[cli]") {
  const server::Config config = config_of(
      "listening-ip=192.0.2.1\nlistening-ip=2001:db8::1\naux-server=[2001:db8::2]:33478\nno-tcp\n");
  CHECK(listeners(config.listen.udp) ==
        Texts{"192.0.2.1:3478", "[2001:db8::1]:3478", "[2001:db8::2]:33478"});
  CHECK(config.listen.tcp.empty());
}

TEST_CASE("two listening addresses of a family mean NAT discovery, unless it is off", "[cli]") {
  const std::string two = "listening-ip=10.0.0.1\nlistening-ip=10.0.0.2\n";
  const server::Config plain = config_of(two);
  REQUIRE(plain.nat_discovery.addresses.size() == 2);
  CHECK(plain.nat_discovery.ports == std::vector<std::uint16_t>{3478, 3479});
  CHECK(config_of(two + "alt-listening-port=4000\n").nat_discovery.ports ==
        std::vector<std::uint16_t>{3478, 4000});
  const server::Config behind_nat =
      config_of(two + "external-ip=203.0.113.1/10.0.0.1\nexternal-ip=203.0.113.2/10.0.0.2\n");
  CHECK(behind_nat.nat_discovery.addresses.at(1).to_string() == "10.0.0.2/203.0.113.2");
  CHECK_FALSE(config_of(two + "no-rfc5780\n").nat_discovery.is_configured());
  CHECK_FALSE(config_of(two + "no-udp\n").nat_discovery.is_configured());
}

TEST_CASE("public addresses are taken over, of several pairs the first", "[cli]") {
  const server::Config one = config_of("external-ip=203.0.113.1\nexternal-ip=2001:db8::1\n");
  CHECK(one.public_ip.size() == 2);
  CHECK(one.relay.addresses.empty());

  const Import import = convert_text(
      "external-ip=203.0.113.1/10.0.0.1\nexternal-ip=203.0.113.2/10.0.0.2\nexternal-ip=nowhere\n");
  const server::Config pairs = loaded(import);
  CHECK(pairs.public_ip == std::vector{*IpAddress::parse("203.0.113.1")});
  CHECK(pairs.relay.addresses == std::vector{*IpAddress::parse("10.0.0.1")});
  CHECK(said_of(import, "external-ip") ==
        Texts{"mapped public_ip", "lost public_ip", "lost public_ip"});

  const server::Config chosen = config_of(
      "relay-ip=10.0.0.2\nexternal-ip=203.0.113.1/10.0.0.1\nexternal-ip=203.0.113.2/10.0.0.2\n");
  CHECK(chosen.public_ip == std::vector{*IpAddress::parse("203.0.113.2")});
  CHECK(chosen.relay.addresses == std::vector{*IpAddress::parse("10.0.0.2")});
}

TEST_CASE("certificates are found beside coturn's file and open TLS and DTLS", "[cli]") {
  const ScratchDirectory directory;
  directory.write("cert.pem", "-----BEGIN CERTIFICATE-----\n", 0644);
  directory.write("key.pem", "-----BEGIN PRIVATE KEY-----\n", 0600);
  const std::string files = "cert=cert.pem\npkey=" + directory.path() + "/key.pem\n";
  const auto with = [&](const std::string& more) {
    return loaded(convert_text(files + more, std::nullopt, directory.path()));
  };
  const server::Config both = with("tls-listening-port=443\n");
  CHECK(both.tls.certificate == directory.path() + "/cert.pem");
  CHECK(both.tls.key == directory.path() + "/key.pem");
  CHECK(listeners(both.listen.tls) == Texts{":443"});
  CHECK(listeners(both.listen.dtls) == Texts{":443"});
  CHECK(with("no-tls\n").listen.tls.empty());
  CHECK(with("no-dtls\n").listen.dtls.empty());
  CHECK(with("no-tlsv1_2\n").listen.dtls.empty());
  for (const char* stricter : {"CA-file=ca.pem\n", "pkey-pwd=secret\n"}) {
    const server::Config closed = with(stricter);
    CHECK(closed.listen.tls.empty());
    CHECK(closed.listen.dtls.empty());
    CHECK_FALSE(closed.tls.is_configured());
  }
}

TEST_CASE("a certificate that cannot be used leaves TLS off and says why", "[cli]") {
  const Import import = convert_text("cert=/nonexistent/cert.pem\npkey=/nonexistent/key.pem\n");
  CHECK(said_of(import, "cert") == Texts{"lost tls.certificate"});
  CHECK(said_of(import, "pkey") == Texts{"lost tls.key"});
  const server::Config config = loaded(import);
  CHECK_FALSE(config.tls.is_configured());
  CHECK(config.listen.tls.empty());
}

TEST_CASE("denied peers stay denied, and what is allowed is cut out of them", "[cli]") {
  const server::Config config = config_of(
      "denied-peer-ip=83.166.64.0-83.166.95.255\nallowed-peer-ip=83.166.68.45\n"
      "denied-peer-ip=2001:db8::-2001:db8::ffff\n");
  const auto deny = rules(config.relay.deny_peers);
  CHECK(std::find(deny.begin(), deny.end(), "83.166.64.0/22") != deny.end());
  CHECK(std::find(deny.begin(), deny.end(), "83.166.68.44") != deny.end());
  CHECK(std::find(deny.begin(), deny.end(), "83.166.68.45") == deny.end());
  CHECK(std::find(deny.begin(), deny.end(), "2001:db8::/112") != deny.end());
  CHECK(rules(config.relay.allow_peers) == Texts{"83.166.68.45"});
}

TEST_CASE("loopback and half the internet are not opened for peers", "[cli]") {
  const Import import = convert_text(
      "allow-loopback-peers\nallowed-peer-ip=127.0.0.1\nallowed-peer-ip=0.0.0.1-255.255.255.255\n"
      "allowed-peer-ip=10.1.0.0-10.1.255.255\nallowed-peer-ip=everyone\n");
  CHECK(said_of(import, "allow-loopback-peers") == Texts{"stricter"});
  CHECK(said_of(import, "allowed-peer-ip") ==
        Texts{"stricter", "lost relay.allow_peers", "mapped relay.allow_peers", "lost"});
  CHECK(rules(loaded(import).relay.allow_peers) == Texts{"10.1.0.0/16"});
}

TEST_CASE("what switches relaying off leaves every peer denied", "[cli]") {
  const server::Config no_udp = config_of("no-udp-relay\nallowed-peer-ip=10.0.0.1\n");
  CHECK(rules(no_udp.relay.deny_peers) == Texts{"0.0.0.0/0/udp", "::/0/udp"});
  CHECK(no_udp.relay.allow_peers.empty());
  CHECK(no_udp.relay.tcp);
  const server::Config stun = config_of("stun-only\nallowed-peer-ip=10.0.0.1\n");
  CHECK(rules(stun.relay.deny_peers) == Texts{"0.0.0.0/0", "::/0"});
  CHECK(stun.relay.allow_peers.empty());
}

TEST_CASE("values that Turnpike refuses are lost, and its own defaults hold", "[cli]") {
  const Import import = convert_text(
      "stale-nonce=86400\nmax-allocate-lifetime=5\nuser-quota=many\nrelay-threads=x\n"
      "alternate-server=example.org\nchannel-lifetime=60\npermission-lifetime=300\n");
  for (const char* name : {"stale-nonce", "max-allocate-lifetime", "user-quota", "relay-threads",
                           "alternate-server", "channel-lifetime"}) {
    INFO(name);
    REQUIRE(said_of(import, name).size() == 1);
    CHECK(said_of(import, name)[0].starts_with("lost"));
  }
  CHECK(said_of(import, "permission-lifetime") == Texts{"not needed"});
  CHECK(loaded(import).auth.nonce_lifetime == seconds{600});
}

TEST_CASE("alternate servers keep their ports or get coturn's", "[cli]") {
  const server::Config config = config_of(
      "alternate-server=203.0.113.5\nalternate-server=203.0.113.6:4000\n"
      "tls-alternate-server=[2001:db8::5]\n");
  REQUIRE(config.relay.alternate_servers.size() == 2);
  CHECK(config.relay.alternate_servers[0].to_string() == "203.0.113.5:3478");
  CHECK(config.relay.alternate_servers[1].to_string() == "203.0.113.6:4000");
  CHECK(config.relay.alternate_tls_servers.at(0).to_string() == "[2001:db8::5]:5349");
}

TEST_CASE("options that are switched off say so, and unknown ones are lost", "[cli]") {
  const Import import = convert_text("no-auth=0\nmobility=off\nno-udp=no\nfuture-option=1\n");
  CHECK(said_of(import, "no-auth") == Texts{"not needed"});
  CHECK(said_of(import, "future-option") == Texts{"lost"});
  const server::Config config = loaded(import);
  CHECK_FALSE(config.relay.mobility);
  CHECK_FALSE(config.listen.udp.empty());
}

TEST_CASE("secrets, peers and limits of the database count; of other realms what forbids",
          "[cli]") {
  Database database;
  database.users = {{"example.org", "alice", "a4983b36a4ba1bf01e71ad240b234e4b"},
                    {"elsewhere.org", "bob", "a4983b36a4ba1bf01e71ad240b234e4c"}};
  database.secrets = {{"example.org", secret}, {"elsewhere.org", secret + "x"}};
  database.denied_peers = {{"elsewhere.org", "198.18.0.0-198.18.0.255"}};
  database.allowed_peers = {{"elsewhere.org", "10.0.0.1"}, {"", "10.0.0.2"}};
  database.options = {{"example.org", "total-quota", "77"}, {"elsewhere.org", "user-quota", "0"}};
  database.origins = 1;

  const server::Config by_secret =
      loaded(convert_text("realm=example.org\nuse-auth-secret\n", database));
  REQUIRE(by_secret.auth.secrets.size() == 1);
  CHECK(by_secret.auth.secrets[0].value == secret);
  CHECK(by_secret.relay.max_allocations == 77);
  CHECK(by_secret.relay.max_allocations_per_user == 12);
  CHECK(rules(by_secret.relay.deny_peers) == Texts{"198.18.0.0/24"});
  CHECK(rules(by_secret.relay.allow_peers) == Texts{"10.0.0.2"});

  const Import by_user = convert_with_store("realm=example.org\n", database);
  REQUIRE(by_user.users.size() == 1);
  CHECK(by_user.users[0].name == "alice");
  CHECK(loaded(by_user).auth.secrets.empty());
  const Import without_store = convert_text("realm=example.org\n", database);
  CHECK(without_store.users.empty());
  CHECK(loaded(without_store).auth.secrets.at(0).value == fresh);
}

TEST_CASE("what is not UTF-8 is left out and said, and the rest is a configuration", "[cli]") {
  const Import import = convert_text("realm=caf\xe9\nmax-port=60000\nmin-port=50000\n");
  CHECK(loaded(import).relay.ports == PortRange{50000, 60000});
  CHECK(loaded(import).realm.empty());
  const auto is_told = [](const Remark& remark) {
    return remark.option == "realm" && remark.fate == Fate::lost;
  };
  CHECK(std::any_of(import.remarks.begin(), import.remarks.end(), is_told));
}

TEST_CASE("a user who is not UTF-8 is left out and named, and the others are users", "[cli]") {
  const Import import = convert_text(
      "realm=example.org\nuser=alice:wonderland\nuser=ren\xe9:secret\nuser=bob:caf\xe9\n"
      "user=dave:old\nuser=dave:n\xe9w\nuser=carol:pa\xc3\x9fwort\n");
  const server::Config config = loaded(import);
  REQUIRE(config.auth.users.size() == 2);
  CHECK(config.auth.users[0].name == "alice");
  CHECK(config.auth.users[1].name == "carol");
  Texts lost;
  for (const Remark& remark : import.remarks) {
    if (remark.fate == Fate::lost) lost.push_back(remark.text);
  }
  CHECK(lost ==
        Texts{"the name or the password of \"ren\xe9\": this is not UTF-8, which a configuration "
              "has to be; write it in UTF-8 and import again",
              "the name or the password of \"bob\": this is not UTF-8, which a configuration has "
              "to be; write it in UTF-8 and import again",
              // As with coturn the last line of a user wins, and here that is none.
              "the name or the password of \"dave\": this is not UTF-8, which a configuration has "
              "to be; write it in UTF-8 and import again"});
}

TEST_CASE("a secret that is not UTF-8 is left out, and the others are secrets", "[cli]") {
  const std::string good = "shared-with-the-web-page-0123456789";
  const Import import =
      convert_text("realm=example.org\nuse-auth-secret\nstatic-auth-secret=" + good +
                   "\xe9\nstatic-auth-secret=" + good + "\n");
  const server::Config config = loaded(import);
  REQUIRE(config.auth.secrets.size() == 1);
  CHECK(config.auth.secrets[0].value == good);
  CHECK(std::count_if(import.remarks.begin(), import.remarks.end(), [](const Remark& remark) {
          return remark.option == "static-auth-secret" && remark.fate == Fate::lost;
        }) == 1);
}

TEST_CASE("the one realm of the database is the realm when the file names none", "[cli]") {
  Database database;
  database.users = {{"example.org", "alice", "a4983b36a4ba1bf01e71ad240b234e4b"}};
  const Import import = convert_with_store("", database);
  CHECK(loaded(import).realm == "example.org");
  CHECK(import.users.size() == 1);
}
