// GET /metrics, on the listener that is for operators.
#pragma once

#include <functional>

#include "server/metrics.h"
#include "signaling/door.h"
#include "signaling/doors.h"

namespace turnpike::server {

/// Answers each request with the numbers of that moment.
class MetricsDoor final : public signaling::Door {
 public:
  /// `doors` must outlive it. `numbers` is called on the thread of the doors.
  MetricsDoor(signaling::Doors& doors, std::function<ServerNumbers()> numbers)
      : doors_(doors), numbers_(std::move(numbers)) {}

  [[nodiscard]] std::vector<signaling::Route> routes() const override {
    signaling::Route route{"/metrics", signaling::RouteKind::application, {signaling::Method::get}};
    route.is_for_operators = true;
    return {route};
  }
  void on_asked(signaling::ConnectionId id, const signaling::Asked&, Now now) override {
    signaling::Response response{200, {}, metrics_text(doors_.rooms(), numbers_())};
    response.with("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        .with("Cache-Control", "no-store");
    doors_.respond(id, std::move(response), now);
  }
  void on_ended(signaling::ConnectionId, std::uint16_t, Now) override {}
  void perform(signaling::ConnectionId, const signaling::Effect&, Now) override {}

 private:
  signaling::Doors& doors_;
  std::function<ServerNumbers()> numbers_;
};

}  // namespace turnpike::server
