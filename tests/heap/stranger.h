// What strangers send who have no right to anything, and where they send it from.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "auth/credential_book.h"
#include "base/seeded_random.h"
#include "stun/builder.h"

namespace turnpike::test {

using Bytes = std::vector<std::uint8_t>;

inline constexpr std::string_view realm = "example.org";
/// When the time-limited users of stranger_messages() run out.
inline constexpr WallTime forged_expiry{seconds{1'800'003'600}};

/// A realm with a static user, alice, and two secrets.
[[nodiscard]] auth::CredentialSettings known_users();

/// Messages of one kind; a flood takes them in turn.
struct Flood {
  std::string name;
  std::vector<Bytes> messages;
};

/// One flood of each kind there is for a server that has known_users().
[[nodiscard]] std::vector<Flood> floods_of_strangers(SeededRandom& random);

/// One flood of each kind by somebody to whom the server has given `nonce`: guesses that are well
/// formed, of one user or of more users than any table of failures has room for.
[[nodiscard]] std::vector<Flood> floods_of_guessers(SeededRandom& random, std::string_view nonce);

/// An Allocate without credentials, which is challenged.
[[nodiscard]] Bytes bare_allocate();
/// The NONCE of a challenge.
[[nodiscard]] std::string nonce_of(ByteView challenge);

/// The address of stranger number `index` of a million, in 8.0.0.0/8 or in `network`.
[[nodiscard]] IpAddress stranger_address(std::uint32_t network, std::size_t index);

}  // namespace turnpike::test
