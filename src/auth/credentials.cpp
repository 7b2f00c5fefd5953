#include "auth/credentials.h"

#include <algorithm>
#include <charconv>

namespace turnpike::auth {
namespace {

constexpr std::int64_t end_of_year_9999 = 253402300799;

std::optional<std::int64_t> parse_unix_time(std::string_view digits) {
  if (digits.empty() || digits.front() < '1' || digits.front() > '9') return std::nullopt;
  std::int64_t value = 0;
  const char* const last = digits.data() + digits.size();
  const auto [end, error] = std::from_chars(digits.data(), last, value);
  if (error != std::errc{} || end != last || value > end_of_year_9999) return std::nullopt;
  return value;
}

bool is_base64url(char letter) {
  return (letter >= 'A' && letter <= 'Z') || (letter >= 'a' && letter <= 'z') ||
         (letter >= '0' && letter <= '9') || letter == '-' || letter == '_';
}

/// What `use` makes of the key. No heap here: a server derives keys of names that strangers say.
template <class Use>
auto with_key(stun::PasswordAlgorithm algorithm, std::string_view username, std::string_view realm,
              std::string_view password, Use&& use) {
  const ByteView colon = bytes_of(":");
  const std::initializer_list<ByteView> parts{bytes_of(username), colon, bytes_of(realm), colon,
                                              bytes_of(password)};
  if (algorithm == stun::PasswordAlgorithm::md5) {
    const Md5Digest key = md5(parts);
    return use(ByteView{key});
  }
  const Sha256Digest key = sha256(parts);
  return use(ByteView{key});
}

}  // namespace

LongTermKey long_term_key(stun::PasswordAlgorithm algorithm, std::string_view username,
                          std::string_view realm, std::string_view password) {
  return with_key(algorithm, username, realm, password,
                  [](ByteView key) { return LongTermKey(key.begin(), key.end()); });
}

stun::IntegrityKey integrity_key(stun::PasswordAlgorithm algorithm, std::string_view username,
                                 std::string_view realm, std::string_view password) {
  return with_key(algorithm, username, realm, password,
                  [](ByteView key) { return stun::IntegrityKey{key}; });
}

Sha256Digest userhash(std::string_view username, std::string_view realm) {
  std::string text{username};
  text.append(":").append(realm);
  return sha256(bytes_of(text));
}

std::optional<TimeLimitedUser> parse_time_limited_username(std::string_view username) {
  const std::size_t colon = username.find(':');
  const auto expires = parse_unix_time(username.substr(0, colon));
  if (!expires) return std::nullopt;
  const bool has_account = colon != std::string_view::npos;
  const std::string_view account = has_account ? username.substr(colon + 1) : username;
  if (account.empty()) return std::nullopt;
  return TimeLimitedUser{WallTime{seconds{*expires}}, account};
}

std::string time_limited_username(WallTime expiry, std::string_view user) {
  std::string username = std::to_string(expiry.time_since_epoch().count());
  if (!user.empty()) username.append(":").append(user);
  return username;
}

std::string room_member_account(std::string_view peer, std::string_view room) {
  return std::string{peer}.append("@").append(room);
}

bool is_room_member(std::string_view account) {
  constexpr std::string_view prefix = "p_";
  constexpr std::size_t id_letters = 8;
  const std::size_t at = account.find('@');
  if (at != prefix.size() + id_letters || at + 1 == account.size()) return false;
  const std::string_view id = account.substr(prefix.size(), id_letters);
  return account.substr(0, prefix.size()) == prefix &&
         std::all_of(id.begin(), id.end(), is_base64url);
}

void put_time_limited_password(const HmacSha1Key& secret, std::string_view username,
                               std::span<char, time_limited_password_size> out) {
  base64_encode_into(secret.mac({bytes_of(username)}), out);
}

std::string time_limited_password(std::string_view secret, std::string_view username) {
  std::string password(time_limited_password_size, '\0');
  put_time_limited_password(HmacSha1Key{bytes_of(secret)}, username,
                            std::span<char, time_limited_password_size>{password});
  return password;
}

}  // namespace turnpike::auth
