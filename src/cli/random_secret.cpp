#include "cli/random_secret.h"

#include <algorithm>
#include <vector>

#include "base/crypto.h"

namespace turnpike::cli {

std::string random_secret(std::size_t byte_count) {
  std::vector<std::uint8_t> bytes(byte_count);
  SecureRandom random;
  random.fill(bytes);
  std::string text = base64_encode(bytes);
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

}  // namespace turnpike::cli
