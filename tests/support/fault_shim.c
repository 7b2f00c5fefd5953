// Preloaded into a server under test (LD_PRELOAD): makes its system calls fail, come short, be late,
// or tell another time. What it does not name goes through unchanged.
//
// The file that FAULT_SHIM names is shared with the test, which writes rules into it while the server
// runs: 16 bytes of generation, and then rules, one a line, up to a zero byte:
//
//   CALL:OUTCOME[:every=N][:after=N][:times=N][:delay=MS][:on=TEXT]
//
//   OUTCOME   ENOSPC … the call fails with that error, for getaddrinfo EAI_AGAIN …
//             partial  it does a part: one datagram of a batch, half of the bytes
//             offset=S clock_gettime, gettimeofday and time tell wall time + S seconds;
//                      as a rule for "boottime", clock_gettime tells CLOCK_BOOTTIME + S seconds
//             late     nothing but the delay
//   every=N   only each N-th call; after=N: not the first N; times=N: not more than N of them
//   delay=MS  before anything else
//   on=TEXT   only calls on a file whose path has TEXT in it ("socket:[…]" for sockets)
//
// How often each rule has struck stands at counts_offset, as 64-bit numbers in the rules' order.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { shared_bytes = 4096, generation_bytes = 16, counts_offset = 3072, rules_max = 16 };

enum outcome { outcome_late, outcome_error, outcome_partial, outcome_offset };

struct rule {
  char call[24];
  enum outcome outcome;
  long number;  // the error, or seconds of offset
  unsigned long every, after, times, delay_ms;
  char on[64];
  unsigned long seen, struck;
};

static char *shared;  // null: no faults
static char generation[generation_bytes];
static struct rule rules[rules_max];
static int rules_used;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((__typeof__(&name))real(#name))

/// The next function of that name, the one of the C library.
static void *real(const char *name) {
  void *const found = dlsym(RTLD_NEXT, name);
  if (found == NULL) abort();
  return found;
}

__attribute__((constructor)) static void begin(void) {
  const char *const path = getenv("FAULT_SHIM");
  if (path == NULL) return;
  const int file = open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) abort();
  void *const memory = mmap(NULL, shared_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (memory == MAP_FAILED) abort();
  shared = memory;
}

// --- Rules ---------------------------------------------------------------------------------------

static long error_called(const char *name) {
  static const struct {
    const char *name;
    long number;
  } of_lookups[] = {{"EAI_AGAIN", EAI_AGAIN}, {"EAI_NONAME", EAI_NONAME}, {"EAI_FAIL", EAI_FAIL}};
  for (size_t i = 0; i < sizeof of_lookups / sizeof *of_lookups; ++i) {
    if (strcmp(name, of_lookups[i].name) == 0) return of_lookups[i].number;
  }
  for (int number = 1; number < 200; ++number) {
    const char *const known = strerrorname_np(number);
    if (known != NULL && strcmp(name, known) == 0) return number;
  }
  fprintf(stderr, "fault_shim: no such outcome: %s\n", name);
  abort();
}

static void read_part(struct rule *rule, const char *part) {
  if (sscanf(part, "every=%lu", &rule->every) == 1) return;
  if (sscanf(part, "after=%lu", &rule->after) == 1) return;
  if (sscanf(part, "times=%lu", &rule->times) == 1) return;
  if (sscanf(part, "delay=%lu", &rule->delay_ms) == 1) return;
  if (sscanf(part, "on=%63s", rule->on) == 1) return;
  if (sscanf(part, "offset=%ld", &rule->number) == 1) {
    rule->outcome = outcome_offset;
  } else if (strcmp(part, "partial") == 0) {
    rule->outcome = outcome_partial;
  } else if (strcmp(part, "late") != 0) {
    rule->outcome = outcome_error;
    rule->number = error_called(part);
  }
}

/// Takes up the rules of a generation that is new.
static void read_rules(void) {
  if (memcmp(generation, shared, generation_bytes) == 0) return;
  memcpy(generation, shared, generation_bytes);
  memset(rules, 0, sizeof rules);
  rules_used = 0;
  char text[counts_offset - generation_bytes];
  memcpy(text, shared + generation_bytes, sizeof text);
  text[sizeof text - 1] = '\0';
  char *rest_of_lines = NULL;
  for (char *line = strtok_r(text, "\n", &rest_of_lines); line != NULL && rules_used < rules_max;
       line = strtok_r(NULL, "\n", &rest_of_lines)) {
    struct rule *const rule = &rules[rules_used++];
    rule->every = 1;
    char *rest = NULL;
    strncpy(rule->call, strtok_r(line, ":", &rest), sizeof rule->call - 1);
    for (char *part = strtok_r(NULL, ":", &rest); part != NULL; part = strtok_r(NULL, ":", &rest)) {
      read_part(rule, part);
    }
  }
}

static bool is_on(const char *text, int descriptor) {
  if (*text == '\0') return true;
  char link[32];
  char path[256];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return false;
  path[length] = '\0';
  return strstr(path, text) != NULL;
}

/// True when a rule strikes this call, on `descriptor` if it has one; the rule is copied to `found`,
/// and its delay is over. Leaves errno alone.
static bool is_struck(const char *call, int descriptor, struct rule *found) {
  if (shared == NULL) return false;
  const int before = errno;
  bool strikes = false;
  pthread_mutex_lock(&mutex);
  read_rules();
  for (int i = 0; i < rules_used && !strikes; ++i) {
    struct rule *const rule = &rules[i];
    if (strcmp(rule->call, call) != 0 || !is_on(rule->on, descriptor)) continue;
    const unsigned long number = ++rule->seen;
    if (number <= rule->after || (number - rule->after) % rule->every != 0) continue;
    if (rule->times != 0 && rule->struck >= rule->times) continue;
    const uint64_t struck = ++rule->struck;
    memcpy(shared + counts_offset + sizeof struck * (size_t)i, &struck, sizeof struck);
    *found = *rule;
    strikes = true;
  }
  pthread_mutex_unlock(&mutex);
  if (strikes && found->delay_ms != 0) {
    const struct timespec delay = {(time_t)(found->delay_ms / 1000),
                                   (long)(found->delay_ms % 1000) * 1000000};
    nanosleep(&delay, NULL);
  }
  errno = before;
  return strikes;
}

/// The same for calls that fail with -1 and errno: true when this one does.
static bool fails(const char *call, int descriptor, struct rule *rule) {
  if (!is_struck(call, descriptor, rule)) {
    rule->outcome = outcome_late;
    return false;
  }
  if (rule->outcome != outcome_error) return false;
  errno = (int)rule->number;
  return true;
}

/// Less than `count`, but something.
static size_t part_of(size_t count, const struct rule *rule) {
  return rule->outcome == outcome_partial && count > 1 ? count / 2 : count;
}

// --- Sockets -------------------------------------------------------------------------------------

int socket(int domain, int type, int protocol) {
  struct rule rule;
  return fails("socket", -1, &rule) ? -1 : REAL(socket)(domain, type, protocol);
}

int bind(int descriptor, const struct sockaddr *address, socklen_t size) {
  struct rule rule;
  return fails("bind", descriptor, &rule) ? -1 : REAL(bind)(descriptor, address, size);
}

int connect(int descriptor, const struct sockaddr *address, socklen_t size) {
  struct rule rule;
  return fails("connect", descriptor, &rule) ? -1 : REAL(connect)(descriptor, address, size);
}

int accept4(int descriptor, struct sockaddr *address, socklen_t *size, int flags) {
  struct rule rule;
  return fails("accept4", descriptor, &rule) ? -1 : REAL(accept4)(descriptor, address, size, flags);
}

ssize_t sendto(int descriptor, const void *bytes, size_t count, int flags,
               const struct sockaddr *to, socklen_t size) {
  struct rule rule;
  if (fails("sendto", descriptor, &rule)) return -1;
  return REAL(sendto)(descriptor, bytes, count, flags, to, size);
}

ssize_t sendmsg(int descriptor, const struct msghdr *message, int flags) {
  struct rule rule;
  return fails("sendmsg", descriptor, &rule) ? -1 : REAL(sendmsg)(descriptor, message, flags);
}

int sendmmsg(int descriptor, struct mmsghdr *messages, unsigned count, int flags) {
  struct rule rule;
  if (fails("sendmmsg", descriptor, &rule)) return -1;
  if (rule.outcome == outcome_partial) count = 1;
  return REAL(sendmmsg)(descriptor, messages, count, flags);
}

int recvmmsg(int descriptor, struct mmsghdr *messages, unsigned count, int flags,
             struct timespec *timeout) {
  struct rule rule;
  if (fails("recvmmsg", descriptor, &rule)) return -1;
  if (rule.outcome == outcome_partial) count = 1;
  return REAL(recvmmsg)(descriptor, messages, count, flags, timeout);
}

ssize_t recvmsg(int descriptor, struct msghdr *message, int flags) {
  struct rule rule;
  return fails("recvmsg", descriptor, &rule) ? -1 : REAL(recvmsg)(descriptor, message, flags);
}

ssize_t send(int descriptor, const void *bytes, size_t count, int flags) {
  struct rule rule;
  if (fails("send", descriptor, &rule)) return -1;
  return REAL(send)(descriptor, bytes, part_of(count, &rule), flags);
}

// --- epoll ---------------------------------------------------------------------------------------

int epoll_wait(int set, struct epoll_event *events, int count, int timeout) {
  struct rule rule;
  return fails("epoll_wait", set, &rule) ? -1 : REAL(epoll_wait)(set, events, count, timeout);
}

int epoll_pwait2(int set, struct epoll_event *events, int count, const struct timespec *timeout,
                 const sigset_t *mask) {
  struct rule rule;
  if (fails("epoll_pwait2", set, &rule)) return -1;
  return REAL(epoll_pwait2)(set, events, count, timeout, mask);
}

int epoll_ctl(int set, int operation, int descriptor, struct epoll_event *event) {
  struct rule rule;
  if (operation == EPOLL_CTL_ADD && fails("epoll_ctl", descriptor, &rule)) return -1;
  return REAL(epoll_ctl)(set, operation, descriptor, event);
}

// --- Files ---------------------------------------------------------------------------------------

int open64(const char *path, int flags, ...) {
  struct rule rule;
  mode_t mode = 0;
  if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
    __builtin_va_list more;
    __builtin_va_start(more, flags);
    mode = __builtin_va_arg(more, mode_t);
    __builtin_va_end(more);
  }
  return fails("open", -1, &rule) ? -1 : REAL(open64)(path, flags, mode);
}

ssize_t write(int descriptor, const void *bytes, size_t count) {
  struct rule rule;
  if (fails("write", descriptor, &rule)) return -1;
  return REAL(write)(descriptor, bytes, part_of(count, &rule));
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off64_t offset) {
  struct rule rule;
  if (fails("pwrite", descriptor, &rule)) return -1;
  return REAL(pwrite64)(descriptor, bytes, part_of(count, &rule), offset);
}

ssize_t pread64(int descriptor, void *bytes, size_t count, off64_t offset) {
  struct rule rule;
  if (fails("pread", descriptor, &rule)) return -1;
  return REAL(pread64)(descriptor, bytes, count, offset);
}

int fsync(int descriptor) {
  struct rule rule;
  return fails("fsync", descriptor, &rule) ? -1 : REAL(fsync)(descriptor);
}

int fdatasync(int descriptor) {
  struct rule rule;
  return fails("fsync", descriptor, &rule) ? -1 : REAL(fdatasync)(descriptor);
}

// --- Names, time, chance -------------------------------------------------------------------------

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **addresses) {
  struct rule rule;
  if (is_struck("getaddrinfo", -1, &rule) && rule.outcome == outcome_error) return (int)rule.number;
  return REAL(getaddrinfo)(host, service, hints, addresses);
}

/// Seconds to be added to the clock that rules for `call` set.
static time_t offset_of(const char *call) {
  struct rule rule;
  return is_struck(call, -1, &rule) && rule.outcome == outcome_offset ? (time_t)rule.number : 0;
}

/// Seconds to be added to wall time.
static time_t wall_offset(void) { return offset_of("clock_gettime"); }

int clock_gettime(clockid_t clock, struct timespec *time) {
  const int result = REAL(clock_gettime)(clock, time);
  if (result == 0 && clock == CLOCK_REALTIME) time->tv_sec += wall_offset();
  if (result == 0 && clock == CLOCK_BOOTTIME) time->tv_sec += offset_of("boottime");
  return result;
}

/// A moment of the clock that is told is an earlier one of the kernel's.
int timerfd_settime(int timer, int flags, const struct itimerspec *at, struct itimerspec *before) {
  struct itimerspec earlier = *at;
  if ((flags & TFD_TIMER_ABSTIME) != 0) earlier.it_value.tv_sec -= offset_of("boottime");
  if (earlier.it_value.tv_sec < 0) earlier.it_value = (struct timespec){0, 1};  // long ago: at once
  return REAL(timerfd_settime)(timer, flags, &earlier, before);
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  const int result = REAL(gettimeofday)(time, zone);
  if (result == 0) time->tv_sec += wall_offset();
  return result;
}

time_t time(time_t *result) {
  const time_t now = REAL(time)(NULL) + wall_offset();
  if (result != NULL) *result = now;
  return now;
}

ssize_t getrandom(void *bytes, size_t count, unsigned flags) {
  struct rule rule;
  return fails("getrandom", -1, &rule) ? -1 : REAL(getrandom)(bytes, count, flags);
}
