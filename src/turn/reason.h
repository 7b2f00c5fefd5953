// Where every datagram ends: one enum that is metric label, log key and test assertion at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace turnpike::turn {

// X(name): `answered_…` sent a success, `refused_…` an error response, `relayed_…` payload,
// `dropped_…` nothing at all. One that is `parked` comes again, and then ends as one of the others.
#define TURNPIKE_TURN_REASONS(X)                                                           \
  X(answered_binding)                                                                      \
  X(answered_allocate)       /* relay being opened; the answer follows */                  \
  X(answered_allocate_again) /* retransmission of the request that created it */           \
  X(answered_refresh)                                                                      \
  X(answered_delete) /* Refresh with LIFETIME 0 */                                         \
  X(answered_move)   /* Refresh with a ticket (RFC 8016) */                                \
  X(answered_create_permission)                                                            \
  X(answered_channel_bind)                                                                 \
  X(answered_connect)   /* connecting; 200 or 447 follows (RFC 6062) */                    \
  X(answered_connected) /* the 200 */                                                      \
  X(answered_connection_bind)                                                              \
  X(relayed_attempt) /* a peer's connection: ConnectionAttempt */                          \
  X(relayed_to_peer)                                                                       \
  X(relayed_to_client)                                                                     \
  X(relayed_between_clients) /* the peer is another allocation of this worker */           \
  X(relayed_to_neighbour)    /* the peer is an allocation of another worker */             \
  X(relayed_to_home)         /* the client's allocation is another worker's */             \
  X(relayed_icmp)                                                                          \
  X(refused_try_alternate)     /* 300: full, another server was named */                   \
  X(refused_no_credentials)    /* 401: the ordinary first answer */                        \
  X(refused_unknown_user)      /* 401 */                                                   \
  X(refused_expired_user)      /* 401 */                                                   \
  X(refused_revoked_user)      /* 401 */                                                   \
  X(refused_wrong_password)    /* 401 */                                                   \
  X(refused_stale_nonce)       /* 438 */                                                   \
  X(refused_bad_credentials)   /* 400 before authentication */                             \
  X(refused_bad_request)       /* 400 */                                                   \
  X(refused_forbidden)         /* 403: peer policy */                                      \
  X(refused_unknown_attribute) /* 420 */                                                   \
  X(refused_mismatch)          /* 437 */                                                   \
  X(refused_family)            /* 440 */                                                   \
  X(refused_wrong_user)        /* 441 */                                                   \
  X(refused_transport)         /* 442 */                                                   \
  X(refused_peer_family)       /* 443 */                                                   \
  X(refused_connection_exists) /* 446 */                                                   \
  X(refused_not_connected)     /* 447 */                                                   \
  X(refused_quota)             /* 486 */                                                   \
  X(refused_capacity)          /* 508 */                                                   \
  X(refused_classic_stun)      /* 500: RFC 3489 over DTLS */                               \
  X(parked)                    /* its user is being asked for */                           \
  X(dropped_parking_full)      /* too many users are being asked for */                    \
  X(dropped_user_unanswered)   /* nobody could say in time who that is */                  \
  X(dropped_untrusted_proxy)   /* on a balancer's listener, from no trusted balancer */    \
  X(dropped_proxy_header)      /* on a balancer's listener, without a proper header */     \
  X(dropped_not_turn)          /* first byte of no protocol that is served here */         \
  X(dropped_malformed)         /* no STUN message, or no whole ChannelData */              \
  X(dropped_fingerprint)       /* FINGERPRINT wrong or not last */                         \
  X(dropped_method)            /* method unknown, or class not allowed for it */           \
  X(dropped_response)          /* a response or error from a stranger */                   \
  X(dropped_source)            /* a source that must not be answered: loop or reflector */ \
  X(dropped_challenge_budget)  /* this network asked for too much unauthenticated */       \
  X(dropped_throttled)         /* this source has failed too often to be that user */      \
  X(dropped_pending)           /* retransmission while the relay is being opened */        \
  X(dropped_no_allocation)     /* indication or ChannelData on an unknown five-tuple */    \
  X(dropped_bad_indication)    /* attributes missing, invalid or unknown */                \
  X(dropped_unbound_channel)                                                               \
  X(dropped_transport)        /* Send on a TCP allocation */                               \
  X(dropped_connection_limit) /* too many connections of peers */                          \
  X(dropped_no_permission)                                                                 \
  X(dropped_peer_family)                                                                   \
  X(dropped_peer_denied)  /* peer policy */                                                \
  X(dropped_too_large)    /* more than a Data indication can hold */                       \
  X(dropped_bandwidth)    /* beyond what the allocation, the user or all may have */       \
  X(dropped_closed_relay) /* arrived for a relay that is gone */                           \
  X(dropped_client_gone)  /* its connection is lost; it may come back with its ticket */   \
  X(dropped_icmp)         /* ICMP that must not be relayed */

enum class Reason : std::uint8_t {
#define TURNPIKE_TURN_REASON_MEMBER(name) name,
  TURNPIKE_TURN_REASONS(TURNPIKE_TURN_REASON_MEMBER)
#undef TURNPIKE_TURN_REASON_MEMBER
};

inline constexpr std::size_t reason_count = static_cast<std::size_t>(Reason::dropped_icmp) + 1;

/// The member's name as it is written above.
[[nodiscard]] std::string_view to_string(Reason reason);

}  // namespace turnpike::turn
