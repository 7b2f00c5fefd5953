// Who is told of allocations that come and go: usage records, events.
#pragma once

#include "base/time.h"
#include "turn/allocation_view.h"

namespace turnpike::server {

/// Called by the threads of all workers, several at a time, in the middle of their work: to be
/// thread-safe and quick. A record is valid during its call.
class AllocationObserver {
 public:
  AllocationObserver() = default;
  virtual ~AllocationObserver() = default;
  AllocationObserver(const AllocationObserver&) = delete;
  AllocationObserver& operator=(const AllocationObserver&) = delete;

  /// A client has been told of its allocation.
  virtual void on_opened(const turn::AllocationRecord& allocation, Now now) = 0;
  /// The same allocation has ended. Comes once for each on_opened(), unless the process ends first.
  virtual void on_closed(const turn::AllocationRecord& allocation, turn::CloseReason reason,
                         Now now) = 0;
};

}  // namespace turnpike::server
