#include "signaling/static_files.h"

#include <algorithm>

#include "base/crypto.h"
#include "signaling/base64url.h"
#include "signaling/http_text.h"

namespace turnpike::signaling {
namespace {

constexpr std::string_view no_frames = "frame-ancestors 'none'";

std::string tag_of(ByteView content) {
  constexpr std::size_t tag_bytes = 12;  // against accidents; nobody gains by a collision
  const Sha256Digest digest = sha256(content);
  return base64url_encode(ByteView{digest}.first(tag_bytes));
}

/// "q=0", "q=0.000": not acceptable (RFC 9110 §12.4.2).
bool is_weight_zero(std::string_view parameter) {
  return parameter.size() > 2 && equal_ignoring_case(parameter.substr(0, 2), "q=") &&
         parameter.substr(2).find_first_not_of("0.") == std::string_view::npos;
}

/// RFC 9110 §13.1.2: the weak comparison.
bool matches(std::string_view if_none_match, std::string_view tag) {
  while (!if_none_match.empty()) {
    std::string_view candidate = take_element(if_none_match);
    if (candidate.starts_with("W/")) candidate.remove_prefix(2);
    if (candidate == tag || candidate == "*") return true;
  }
  return false;
}

/// The bytes that a client wants, under the name of their coding.
struct Choice {
  ByteView bytes;
  std::string_view coding;
};

Choice choose(const Asset& asset, const Request& request) {
  const std::string accepted = request.list_header("Accept-Encoding");
  if (!asset.brotli.empty() && accepts_coding(accepted, "br")) return {asset.brotli, "br"};
  if (!asset.gzip.empty() && accepts_coding(accepted, "gzip")) return {asset.gzip, "gzip"};
  return {asset.identity, ""};
}

}  // namespace

bool accepts_coding(std::string_view list, std::string_view coding) {
  bool accepts_others = false;
  while (!list.empty()) {
    std::string_view element = take_element(list);
    const std::string_view name = take_element(element, ';');
    const bool is_accepted = !is_weight_zero(trimmed(element));
    if (equal_ignoring_case(name, coding)) return is_accepted;
    if (name == "*") accepts_others = is_accepted;
  }
  return accepts_others;
}

StaticFiles::StaticFiles(const std::vector<Asset>& assets) {
  entries_.reserve(assets.size());
  for (const Asset& asset : assets) entries_.push_back({asset, tag_of(asset.identity)});
  std::sort(entries_.begin(), entries_.end(),
            [](const Entry& a, const Entry& b) { return a.asset.path < b.asset.path; });
}

std::optional<Response> StaticFiles::answer(const Request& request) const {
  const Entry* const entry = find(request.path);
  if (entry == nullptr) return std::nullopt;
  const Asset& asset = entry->asset;
  const auto [bytes, coding] = choose(asset, request);
  std::string tag = "\"" + entry->tag;
  if (!coding.empty()) tag.append("-").append(coding);
  tag += "\"";

  Response response{200};
  response.with("ETag", tag)
      .with("Cache-Control",
            asset.is_immutable ? "public, max-age=31536000, immutable" : "no-cache");
  if (!asset.gzip.empty() || !asset.brotli.empty()) response.with("Vary", "Accept-Encoding");
  // The same for everyone, so that any page may import the client.
  response.with("Access-Control-Allow-Origin", "*");
  if (matches(request.list_header("If-None-Match"), tag)) {
    response.status = 304;
    return response;
  }
  response.with("Content-Type", asset.type)
      .with("Content-Security-Policy", asset.policy.empty() ? no_frames : asset.policy)
      .with("Referrer-Policy", "no-referrer");
  if (!coding.empty()) response.with("Content-Encoding", coding);
  response.body = text_of(bytes);
  return response;
}

const StaticFiles::Entry* StaticFiles::find(std::string_view path) const {
  std::string name{path};
  if (path.ends_with('/')) name += "index.html";
  const auto found = std::lower_bound(
      entries_.begin(), entries_.end(), name,
      [](const Entry& entry, const std::string& n) { return entry.asset.path < n; });
  return found != entries_.end() && found->asset.path == name ? &*found : nullptr;
}

}  // namespace turnpike::signaling
