// `turnpike stun` against a small STUN server on loopback, in a thread of the test.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "catch.h"
#include "cli/app.h"
#include "stun/builder.h"
#include "stun/message.h"

using namespace turnpike;

namespace {

/// What the server does with a request.
enum class Manner { answer, refuse, stay_silent, answer_the_second };

/// Listens on 127.0.0.1 and a port of its own until it is destroyed.
class LoopbackServer {
 public:
  explicit LoopbackServer(Manner manner)
      : manner_(manner), socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(socket_, reinterpret_cast<const sockaddr*>(&address), size) != 0)
      throw std::runtime_error("bind");
    if (::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error("getsockname");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread{[this] { serve(); }};
  }
  ~LoopbackServer() {
    stop_ = true;
    thread_.join();
    ::close(socket_);
  }
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;

  [[nodiscard]] std::string target() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  void serve() {
    while (!stop_) {
      pollfd readable{socket_, POLLIN, 0};
      if (::poll(&readable, 1, 20) > 0) serve_one();
    }
  }

  void serve_one() {
    std::vector<std::uint8_t> bytes(1500);
    sockaddr_in from{};
    socklen_t size = sizeof from;
    const ssize_t count = ::recvfrom(socket_, bytes.data(), bytes.size(), 0,
                                     reinterpret_cast<sockaddr*>(&from), &size);
    if (count <= 0) return;
    const auto request =
        stun::MessageView::parse(ByteView{bytes}.first(static_cast<std::size_t>(count)));
    ++requests_;
    if (!request || manner_ == Manner::stay_silent) return;
    if (manner_ == Manner::answer_the_second && requests_ == 1) return;
    std::vector<std::uint8_t> buffer(256);
    const bool refuse = manner_ == Manner::refuse;
    stun::MessageBuilder answer{buffer, refuse ? stun::Class::error : stun::Class::success,
                                stun::Method::binding, request->transaction_id()};
    if (refuse) {
      answer.put_error_code(stun::ErrorCode::server_error);
    } else {
      const Endpoint client{IpAddress::v4(ntohl(from.sin_addr.s_addr)), ntohs(from.sin_port)};
      answer.put_xor_address(stun::AttributeType::xor_mapped_address, client);
    }
    const ByteView out = answer.put_fingerprint().bytes();
    (void)::sendto(socket_, out.data(), out.size(), 0, reinterpret_cast<const sockaddr*>(&from),
                   size);
  }

  Manner manner_;
  int socket_;
  std::uint16_t port_ = 0;
  int requests_ = 0;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

struct Ran {
  int code;
  std::string out;
  std::string err;
};

Ran run(const std::vector<std::string>& arguments) {
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  const cli::Io io{
      .in = in, .out = out, .err = err, .environment = {}, .now = {}, .default_config_path = {}};
  const int code = cli::run(arguments, io);
  return {code, out.str(), err.str()};
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("stun prints the reflexive address and the round-trip time in one line", "[cli]") {
  const LoopbackServer server{Manner::answer};
  const Ran ran = run({"stun", server.target()});
  CHECK(ran.code == 0);
  CHECK(ran.out.starts_with("127.0.0.1:"));
  CHECK(contains(ran.out, "is your address, seen by " + server.target() + ", "));
  CHECK(ran.out.ends_with(" ms\n"));
  CHECK(std::count(ran.out.begin(), ran.out.end(), '\n') == 1);
}

TEST_CASE("stun answers programs in JSON", "[cli]") {
  const LoopbackServer server{Manner::answer};
  const Ran ran = run({"stun", "stun:" + server.target(), "-4", "--output", "json"});
  CHECK(ran.code == 0);
  const auto json = nlohmann::json::parse(ran.out);
  CHECK(json["server"] == server.target());
  CHECK(json["received"] == 1);
  REQUIRE(json["answers"].size() == 1);
  CHECK(json["answers"][0]["reflexive"].get<std::string>().starts_with("127.0.0.1:"));
  CHECK(json["answers"][0]["rtt_ms"].is_number());
}

TEST_CASE("stun repeats a lost request", "[cli]") {
  const LoopbackServer server{Manner::answer_the_second};
  const Ran ran = run({"stun", server.target()});
  CHECK(ran.code == 0);
  CHECK(contains(ran.out, "after 2 requests"));
}

TEST_CASE("no answer and a refusal are exit code 1", "[cli]") {
  const LoopbackServer silent{Manner::stay_silent};
  const Ran unanswered = run({"stun", silent.target(), "--timeout", "1s"});
  CHECK(unanswered.code == 1);
  CHECK(contains(unanswered.err, "no answer from " + silent.target()));
  const LoopbackServer refusing{Manner::refuse};
  const Ran refused = run({"stun", refusing.target()});
  CHECK(refused.code == 1);
  CHECK(contains(refused.err, "refused by " + refusing.target() + ", 500"));
}

TEST_CASE("a port where nothing listens is exit code 69", "[cli]") {
  std::string target;
  {
    const LoopbackServer gone{Manner::answer};
    target = gone.target();
  }
  const Ran ran = run({"stun", target});
  CHECK(ran.code == 69);
  CHECK(contains(ran.err, "nothing listens on " + target));
}
