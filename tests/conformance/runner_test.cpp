#include "conformance/runner.h"

#include <stdexcept>

#include "conformance/fake_server.h"

using namespace turnpike;
using namespace turnpike::conformance;
using stun::Method;

namespace {

Check check_of(void (*run)(Session&), Strength strength = Strength::must) {
  return {"a-check", "1", "RFC 8489 §5", "A rule.", strength, Applies::everywhere, run};
}

Outcome outcome_of(const Check& check, const Settings& settings) {
  SecureRandom random;
  return run_check(check, settings, random).outcome;
}

Settings nowhere() {
  Settings settings;
  settings.server = {*IpAddress::parse("127.0.0.1"), 9};
  return settings;
}

Bytes challenge(ByteView request) {
  return respond(request, stun::Class::error, [](stun::MessageBuilder& message) {
    message.put_error_code(stun::ErrorCode::unauthenticated)
        .put_text(stun::AttributeType::realm, "realm")
        .put_text(stun::AttributeType::nonce, "nonce");
  });
}

}  // namespace

TEST_CASE("a check that returns has passed", "[conformance]") {
  CHECK(outcome_of(check_of([](Session&) {}), nowhere()).status == Status::passed);
}

TEST_CASE("what a check throws ends that check only", "[conformance]") {
  const Outcome failed = outcome_of(check_of([](Session&) { fail("this", "that"); }), nowhere());
  CHECK(failed.status == Status::failed);
  CHECK(failed.expected == "this");
  CHECK(failed.got == "that");
  CHECK(outcome_of(check_of([](Session&) { not_supported("no"); }), nowhere()).status ==
        Status::not_supported);
  CHECK(outcome_of(check_of([](Session&) { not_tried("no"); }), nowhere()).status ==
        Status::not_tried);
  // Not the server's fault.
  const auto broken = check_of([](Session&) { throw std::runtime_error{"out of descriptors"}; });
  CHECK(outcome_of(broken, nowhere()).status == Status::not_tried);
}

TEST_CASE("only a MUST fails, a SHOULD warns", "[conformance]") {
  const auto breaks = [](Session&) { fail("this", "that"); };
  CHECK(outcome_of(check_of(breaks, Strength::must), nowhere()).status == Status::failed);
  CHECK(outcome_of(check_of(breaks, Strength::should), nowhere()).status == Status::warned);
  CHECK(outcome_of(check_of(breaks, Strength::advice), nowhere()).status == Status::warned);
}

TEST_CASE("an allocation is deleted after a check that fails, and told of if that fails",
          "[conformance]") {
  std::atomic<bool> deletes = true;
  std::atomic<int> deleted = 0;
  const FakeServer server{[&](ByteView request) {
    const auto view = stun::MessageView::parse(request);
    if (view->method() == Method::binding) return succeed(request);
    if (!view->message_integrity()) return challenge(request);
    const auto lifetime = view->find(stun::AttributeType::lifetime);
    const bool is_delete = lifetime && stun::decode_lifetime(*lifetime) == seconds{0};
    if (is_delete) ++deleted;
    if (is_delete && !deletes) return refuse(request, stun::ErrorCode::server_error);
    return respond(request, stun::Class::success, [](stun::MessageBuilder& message) {
      message.put_message_integrity(HmacSha1Key{
          auth::long_term_key(stun::PasswordAlgorithm::md5, "user", "realm", "password")});
    });
  }};
  const Settings settings = server.settings();
  SecureRandom random;
  const auto check = check_of([](Session& session) {
    session.allocate(session.open());
    fail("this", "that");
  });
  const CheckResult first = run_check(check, settings, random);
  CHECK(first.outcome.status == Status::failed);
  CHECK(first.left_behind.empty());
  CHECK(deleted == 1);
  deletes = false;
  CHECK(run_check(check, settings, random).left_behind ==
        "the server does not delete an allocation");
}

TEST_CASE("first contact finds the fence that is answered", "[conformance]") {
  const FakeServer server{[](ByteView request) {
    return method_of(request) == Method::binding ? Bytes{} : challenge(request);
  }};
  Settings settings = server.settings();
  settings.user.reset();
  SecureRandom random;
  CHECK(make_contact(settings, random).kind == Contact::Kind::ready);
  CHECK(settings.timing.fence == Method::allocate);
}

TEST_CASE("first contact tells who is not let in", "[conformance]") {
  const FakeServer server{[](ByteView request) {
    return method_of(request) == Method::binding ? succeed(request) : challenge(request);
  }};
  Settings settings = server.settings();
  SecureRandom random;
  CHECK(make_contact(settings, random).kind == Contact::Kind::refused);
}

TEST_CASE("first contact tells when nobody is there", "[conformance]") {
  const FakeServer server{[](ByteView) { return Bytes{}; }};
  Settings settings = server.settings();
  SecureRandom random;
  CHECK(make_contact(settings, random).kind == Contact::Kind::unreachable);
}
