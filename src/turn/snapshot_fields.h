// What each piece of a snapshot consists of, in the order in which it is written. One list for
// writing and reading, so that they cannot differ.
#pragma once

#include <tuple>
#include <type_traits>

#include "turn/saved_state.h"

namespace turnpike::turn {

/// Pointers to the members of a struct; specialised for each that is written member by member.
template <class T>
inline constexpr std::tuple<> fields_of{};

template <class T>
concept has_fields = !std::is_same_v<decltype(fields_of<T>), const std::tuple<>>;

template <>
inline constexpr auto fields_of<Endpoint> =
    std::tuple{&Endpoint::address, &Endpoint::port, &Endpoint::scope};
template <>
inline constexpr auto fields_of<FiveTuple> =
    std::tuple{&FiveTuple::client, &FiveTuple::server, &FiveTuple::transport};
template <>
inline constexpr auto fields_of<ClientFlow> = std::tuple{&ClientFlow::tuple, &ClientFlow::listener,
                                                         &ClientFlow::worker, &ClientFlow::through};
template <>
inline constexpr auto fields_of<Traffic> =
    std::tuple{&Traffic::packets_to_peer, &Traffic::bytes_to_peer, &Traffic::packets_to_client,
               &Traffic::bytes_to_client};
template <>
inline constexpr auto fields_of<RelayId> = std::tuple{&RelayId::slot, &RelayId::generation};
template <>
inline constexpr auto fields_of<PeerConnectionId> =
    std::tuple{&PeerConnectionId::slot, &PeerConnectionId::generation};
template <>
inline constexpr auto fields_of<RelayAddress> =
    std::tuple{&RelayAddress::bind, &RelayAddress::advertised};

template <>
inline constexpr auto fields_of<SavedRelay> =
    std::tuple{&SavedRelay::address, &SavedRelay::port, &SavedRelay::expires};
template <>
inline constexpr auto fields_of<SavedPermission> =
    std::tuple{&SavedPermission::address, &SavedPermission::expires};
template <>
inline constexpr auto fields_of<SavedChannel> =
    std::tuple{&SavedChannel::number, &SavedChannel::peer, &SavedChannel::expires};
template <>
inline constexpr auto fields_of<SavedMobility> =
    std::tuple{&SavedMobility::number, &SavedMobility::ticket, &SavedMobility::previous_until,
               &SavedMobility::next};
template <>
inline constexpr auto fields_of<SavedBucket> =
    std::tuple{&SavedBucket::filled_at, &SavedBucket::tokens};
template <>
inline constexpr auto fields_of<SavedAllocation> = std::tuple{&SavedAllocation::serial,
                                                              &SavedAllocation::flow,
                                                              &SavedAllocation::has_client,
                                                              &SavedAllocation::transaction,
                                                              &SavedAllocation::user,
                                                              &SavedAllocation::network,
                                                              &SavedAllocation::opened_over,
                                                              &SavedAllocation::transport,
                                                              &SavedAllocation::reservation_token,
                                                              &SavedAllocation::additional_error,
                                                              &SavedAllocation::started,
                                                              &SavedAllocation::traffic,
                                                              &SavedAllocation::paid_until,
                                                              &SavedAllocation::new_peers,
                                                              &SavedAllocation::relays,
                                                              &SavedAllocation::closed_relays,
                                                              &SavedAllocation::permissions,
                                                              &SavedAllocation::channels,
                                                              &SavedAllocation::mobility};
template <>
inline constexpr auto fields_of<SavedSlot> =
    std::tuple{&SavedSlot::generations, &SavedSlot::allocation};
template <>
inline constexpr auto fields_of<SavedUser> =
    std::tuple{&SavedUser::username, &SavedUser::account, &SavedUser::bandwidth};
template <>
inline constexpr auto fields_of<SavedConnection> = std::tuple{
    &SavedConnection::allocation, &SavedConnection::peer,       &SavedConnection::is_of_peer,
    &SavedConnection::number,     &SavedConnection::is_claimed, &SavedConnection::deadline};
template <>
inline constexpr auto fields_of<SavedConnectionSlot> =
    std::tuple{&SavedConnectionSlot::generation, &SavedConnectionSlot::connection};
template <>
inline constexpr auto fields_of<SavedGuest> =
    std::tuple{&SavedGuest::flow, &SavedGuest::home, &SavedGuest::is_leaving, &SavedGuest::expires};
template <>
inline constexpr auto fields_of<SavedServer> = std::tuple{&SavedServer::worker,
                                                          &SavedServer::last_serial,
                                                          &SavedServer::users,
                                                          &SavedServer::slots,
                                                          &SavedServer::free_slots,
                                                          &SavedServer::connections,
                                                          &SavedServer::free_connections,
                                                          &SavedServer::guests,
                                                          &SavedServer::forgotten_relays,
                                                          &SavedServer::forgotten_connections,
                                                          &SavedServer::counters};
template <>
inline constexpr auto fields_of<SavedReservation> =
    std::tuple{&SavedReservation::token, &SavedReservation::address, &SavedReservation::port,
               &SavedReservation::account, &SavedReservation::expires};
template <>
inline constexpr auto fields_of<SavedAccount> =
    std::tuple{&SavedAccount::name, &SavedAccount::paid_until};
template <>
inline constexpr auto fields_of<SavedLedger> =
    std::tuple{&SavedLedger::addresses, &SavedLedger::reservations, &SavedLedger::accounts,
               &SavedLedger::paid_until};
template <>
inline constexpr auto fields_of<SavedState> = std::tuple{&SavedState::ledger, &SavedState::servers};

}  // namespace turnpike::turn
