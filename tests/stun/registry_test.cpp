#include "stun/registry.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "catch.h"

namespace turnpike::stun {

namespace {

/// number -> name of one registry in tests/vectors/stun_parameters.csv, which was typed from the
/// RFCs.
std::map<unsigned, std::string> published(const std::string& registry) {
  const std::string path = TURNPIKE_TEST_VECTORS "/stun_parameters.csv";
  std::ifstream file{path};
  if (!file) throw std::runtime_error("cannot read " + path);
  std::map<unsigned, std::string> names;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.front() == '#') continue;
    std::istringstream fields{line};
    std::string kind;
    std::string number;
    std::string name;
    std::getline(fields, kind, ',');
    std::getline(fields, number, ',');
    std::getline(fields, name, ',');
    if (kind != registry) continue;
    const bool first =
        names.emplace(static_cast<unsigned>(std::stoul(number, nullptr, 0)), name).second;
    if (!first) throw std::runtime_error("twice in the table: " + line);
  }
  if (names.empty()) throw std::runtime_error("nothing about " + registry + " in " + path);
  return names;
}

/// "XOR-PEER-ADDRESS", "CreatePermission", "Try Alternate" in the spelling of our enumerators.
std::string as_enumerator(const std::string& name) {
  std::string spelled;
  bool after_lower = false;
  for (const char c : name) {
    const bool upper = 'A' <= c && c <= 'Z';
    if (c == '-' || c == ' ') {
      spelled += '_';
    } else {
      if (upper && after_lower) spelled += '_';
      spelled += upper ? static_cast<char>(c - 'A' + 'a') : c;
    }
    after_lower = 'a' <= c && c <= 'z';
  }
  return spelled;
}

using Enumerators = std::vector<std::pair<unsigned, std::string>>;

#define TURNPIKE_ENUMERATOR(type, name) \
  { static_cast<unsigned>(type::name), #name }

Enumerators method_enumerators() {
  return {
      TURNPIKE_ENUMERATOR(Method, binding),
      TURNPIKE_ENUMERATOR(Method, allocate),
      TURNPIKE_ENUMERATOR(Method, refresh),
      TURNPIKE_ENUMERATOR(Method, send),
      TURNPIKE_ENUMERATOR(Method, data),
      TURNPIKE_ENUMERATOR(Method, create_permission),
      TURNPIKE_ENUMERATOR(Method, channel_bind),
      TURNPIKE_ENUMERATOR(Method, connect),
      TURNPIKE_ENUMERATOR(Method, connection_bind),
      TURNPIKE_ENUMERATOR(Method, connection_attempt),
  };
}

Enumerators attribute_enumerators() {
  return {
      TURNPIKE_ENUMERATOR(AttributeType, mapped_address),
      TURNPIKE_ENUMERATOR(AttributeType, change_request),
      TURNPIKE_ENUMERATOR(AttributeType, username),
      TURNPIKE_ENUMERATOR(AttributeType, message_integrity),
      TURNPIKE_ENUMERATOR(AttributeType, error_code),
      TURNPIKE_ENUMERATOR(AttributeType, unknown_attributes),
      TURNPIKE_ENUMERATOR(AttributeType, channel_number),
      TURNPIKE_ENUMERATOR(AttributeType, lifetime),
      TURNPIKE_ENUMERATOR(AttributeType, xor_peer_address),
      TURNPIKE_ENUMERATOR(AttributeType, data),
      TURNPIKE_ENUMERATOR(AttributeType, realm),
      TURNPIKE_ENUMERATOR(AttributeType, nonce),
      TURNPIKE_ENUMERATOR(AttributeType, xor_relayed_address),
      TURNPIKE_ENUMERATOR(AttributeType, requested_address_family),
      TURNPIKE_ENUMERATOR(AttributeType, even_port),
      TURNPIKE_ENUMERATOR(AttributeType, requested_transport),
      TURNPIKE_ENUMERATOR(AttributeType, dont_fragment),
      TURNPIKE_ENUMERATOR(AttributeType, access_token),
      TURNPIKE_ENUMERATOR(AttributeType, message_integrity_sha256),
      TURNPIKE_ENUMERATOR(AttributeType, password_algorithm),
      TURNPIKE_ENUMERATOR(AttributeType, userhash),
      TURNPIKE_ENUMERATOR(AttributeType, xor_mapped_address),
      TURNPIKE_ENUMERATOR(AttributeType, reservation_token),
      TURNPIKE_ENUMERATOR(AttributeType, priority),
      TURNPIKE_ENUMERATOR(AttributeType, use_candidate),
      TURNPIKE_ENUMERATOR(AttributeType, padding),
      TURNPIKE_ENUMERATOR(AttributeType, response_port),
      TURNPIKE_ENUMERATOR(AttributeType, connection_id),
      TURNPIKE_ENUMERATOR(AttributeType, additional_address_family),
      TURNPIKE_ENUMERATOR(AttributeType, address_error_code),
      TURNPIKE_ENUMERATOR(AttributeType, password_algorithms),
      TURNPIKE_ENUMERATOR(AttributeType, alternate_domain),
      TURNPIKE_ENUMERATOR(AttributeType, icmp),
      TURNPIKE_ENUMERATOR(AttributeType, software),
      TURNPIKE_ENUMERATOR(AttributeType, alternate_server),
      TURNPIKE_ENUMERATOR(AttributeType, transaction_transmit_counter),
      TURNPIKE_ENUMERATOR(AttributeType, cache_timeout),
      TURNPIKE_ENUMERATOR(AttributeType, fingerprint),
      TURNPIKE_ENUMERATOR(AttributeType, ice_controlled),
      TURNPIKE_ENUMERATOR(AttributeType, ice_controlling),
      TURNPIKE_ENUMERATOR(AttributeType, response_origin),
      TURNPIKE_ENUMERATOR(AttributeType, other_address),
      TURNPIKE_ENUMERATOR(AttributeType, third_party_authorization),
      TURNPIKE_ENUMERATOR(AttributeType, mobility_ticket),
  };
}

Enumerators error_enumerators() {
  return {
      TURNPIKE_ENUMERATOR(ErrorCode, try_alternate),
      TURNPIKE_ENUMERATOR(ErrorCode, bad_request),
      TURNPIKE_ENUMERATOR(ErrorCode, unauthenticated),
      TURNPIKE_ENUMERATOR(ErrorCode, forbidden),
      TURNPIKE_ENUMERATOR(ErrorCode, mobility_forbidden),
      TURNPIKE_ENUMERATOR(ErrorCode, unknown_attribute),
      TURNPIKE_ENUMERATOR(ErrorCode, allocation_mismatch),
      TURNPIKE_ENUMERATOR(ErrorCode, stale_nonce),
      TURNPIKE_ENUMERATOR(ErrorCode, address_family_not_supported),
      TURNPIKE_ENUMERATOR(ErrorCode, wrong_credentials),
      TURNPIKE_ENUMERATOR(ErrorCode, unsupported_transport_protocol),
      TURNPIKE_ENUMERATOR(ErrorCode, peer_address_family_mismatch),
      TURNPIKE_ENUMERATOR(ErrorCode, connection_already_exists),
      TURNPIKE_ENUMERATOR(ErrorCode, connection_timeout_or_failure),
      TURNPIKE_ENUMERATOR(ErrorCode, allocation_quota_reached),
      TURNPIKE_ENUMERATOR(ErrorCode, server_error),
      TURNPIKE_ENUMERATOR(ErrorCode, insufficient_capacity),
  };
}

#undef TURNPIKE_ENUMERATOR

/// Both must list the same numbers under the same names.
void check_same(const std::map<unsigned, std::string>& table, const Enumerators& ours) {
  CHECK(ours.size() == table.size());
  for (const auto& [number, enumerator] : ours) {
    CAPTURE(number, enumerator);
    const auto found = table.find(number);
    REQUIRE(found != table.end());
    CHECK(as_enumerator(found->second) == enumerator);
  }
}

}  // namespace

TEST_CASE("methods have the numbers and names of the RFCs",
          "[stun][rfc8489-18.2][rfc8656-17][rfc6062-6.1]") {
  const auto table = published("method");
  check_same(table, method_enumerators());
  for (unsigned number = 0; number <= 0xffff; ++number) {
    const auto found = table.find(number);
    const std::string expected = found == table.end() ? "unknown" : found->second;
    if (name_of(static_cast<Method>(number)) != expected)
      FAIL_CHECK("method " << number << " " << expected);
  }
}

TEST_CASE("attributes have the numbers and names of the RFCs",
          "[stun][rfc8489-18.3][rfc8656-18][rfc6062-6.2][rfc5780-9.1][rfc8016-4][rfc7635-12]") {
  const auto table = published("attribute");
  check_same(table, attribute_enumerators());
  for (unsigned number = 0; number <= 0xffff; ++number) {
    const auto found = table.find(number);
    const std::string expected = found == table.end() ? "unknown" : found->second;
    if (name_of(static_cast<AttributeType>(number)) != expected) {
      FAIL_CHECK("attribute " << number << " " << expected);
    }
  }
}

TEST_CASE("error codes have the numbers and phrases of the RFCs",
          "[stun][rfc8489-14.8][rfc8656-19][rfc6062-6.3][rfc8016-4]") {
  const auto table = published("error");
  check_same(table, error_enumerators());
  for (unsigned number = 0; number <= 0xffff; ++number) {
    const auto found = table.find(number);
    const std::string expected = found == table.end() ? "unknown" : found->second;
    if (reason_phrase(static_cast<ErrorCode>(number)) != expected)
      FAIL_CHECK("error " << number << " " << expected);
  }
}

TEST_CASE("password algorithms have the numbers of the RFC", "[stun][rfc8489-18.5]") {
  const auto table = published("algorithm");
  CHECK(table.size() == 2);
  CHECK(table.at(static_cast<unsigned>(PasswordAlgorithm::md5)) == "MD5");
  CHECK(table.at(static_cast<unsigned>(PasswordAlgorithm::sha256)) == "SHA-256");
  CHECK(name_of(PasswordAlgorithm::md5) == "md5");
  CHECK(name_of(PasswordAlgorithm::sha256) == "sha256");
}

TEST_CASE("attributes below 0x8000 must be understood, the others need not be",
          "[stun][rfc8489-18.3]") {
  for (unsigned number = 0; number <= 0xffff; ++number) {
    if (is_comprehension_required(static_cast<AttributeType>(number)) != (number <= 0x7fff)) {
      FAIL_CHECK("attribute " << number);
    }
  }
  CHECK(is_comprehension_required(AttributeType::message_integrity_sha256));
  CHECK(is_comprehension_required(AttributeType::change_request));
  CHECK_FALSE(is_comprehension_required(AttributeType::software));
  CHECK_FALSE(is_comprehension_required(AttributeType::mobility_ticket));
  CHECK_FALSE(is_comprehension_required(AttributeType::fingerprint));
}

TEST_CASE("the constants of the header and of FINGERPRINT are those of the RFC",
          "[stun][rfc8489-5][rfc8489-14.7]") {
  CHECK(magic_cookie == 0x2112A442U);
  CHECK(header_bytes == 20);
  CHECK(transaction_id_bytes == 12);
  CHECK(fingerprint_xor == 0x5354554eU);
  CHECK(nonce_cookie_prefix == "obMatJos2");
  CHECK(static_cast<int>(Class::request) == 0b00);
  CHECK(static_cast<int>(Class::indication) == 0b01);
  CHECK(static_cast<int>(Class::success) == 0b10);
  CHECK(static_cast<int>(Class::error) == 0b11);
}

}  // namespace turnpike::stun
