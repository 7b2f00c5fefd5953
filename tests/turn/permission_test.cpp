// CreatePermission (RFC 8656 §10.2), permissions (§9), and which peers the policy lets through.
#include "catch.h"
#include "turn/world.h"

namespace turnpike::test {

namespace {

Add with_peer(std::string_view peer) {
  return [peer](stun::MessageBuilder& m) {
    m.put_xor_address(AttributeType::xor_peer_address, endpoint(peer));
  };
}

Client allocated(World& world, const Add& add = {}, std::string_view from = "198.51.100.7:4000") {
  auto client = world.client(from);
  REQUIRE(client.allocate(add).code() == ok);
  return client;
}

}  // namespace

TEST_CASE("a permission stops peer data after 300 seconds", "[turn][rfc8656-9][c44][P16]") {
  World world;
  auto alice = allocated(world);
  alice.permit("8.8.8.8");
  world.advance(300s - 1ms);
  CHECK(world.peer_sends("8.8.8.8:5000", alice, "hi") == Reason::relayed_to_client);
  CHECK(alice.send("8.8.8.8:5000", "hi") == Reason::relayed_to_peer);
  world.advance(1ms);
  CHECK(world.peer_sends("8.8.8.8:5000", alice, "hi") == Reason::dropped_no_permission);
  CHECK(alice.send("8.8.8.8:5000", "hi") == Reason::dropped_no_permission);
  CHECK(world.icmp("8.8.8.8:5000", alice, {3, 3, 0}) == Reason::dropped_no_permission);
}

TEST_CASE("a permission is for an address, whatever the port", "[turn][rfc8656-9][c44]") {
  World world;
  auto alice = allocated(world);
  alice.request(Method::create_permission, with_peer("8.8.8.8:5000"));
  CHECK(world.peer_sends("8.8.8.8:5000", alice, "hi") == Reason::relayed_to_client);
  CHECK(world.peer_sends("8.8.8.8:6000", alice, "hi") == Reason::relayed_to_client);
  CHECK(alice.send("8.8.8.8:6000", "hi") == Reason::relayed_to_peer);
  CHECK(world.peer_sends("8.8.8.9:5000", alice, "hi") == Reason::dropped_no_permission);
  CHECK(alice.send("8.8.8.9:5000", "hi") == Reason::dropped_no_permission);
}

TEST_CASE("neither Send nor ChannelData nor peers refresh a permission", "[turn][rfc8656-9][c44]") {
  World world;
  auto alice = allocated(world);
  alice.permit("8.8.8.8");
  alice.bind_channel(0x4000, "9.9.9.9:5000");
  for (int i = 0; i < 29; ++i) {
    world.advance(10s);
    CHECK(alice.send("8.8.8.8:5000", "hi") == Reason::relayed_to_peer);
    CHECK(alice.send_channel(0x4000, "hi") == Reason::relayed_to_peer);
    CHECK(world.peer_sends("8.8.8.8:5000", alice, "hi") == Reason::relayed_to_client);
    CHECK(world.peer_sends("9.9.9.9:5000", alice, "hi") == Reason::relayed_to_client);
  }
  world.advance(10s);
  CHECK(world.peer_sends("8.8.8.8:5000", alice, "hi") == Reason::dropped_no_permission);
  CHECK(world.peer_sends("9.9.9.9:5000", alice, "hi") == Reason::dropped_no_permission);
}

TEST_CASE("CreatePermission again starts the 300 seconds anew", "[turn][rfc8656-9][c44]") {
  World world;
  auto alice = allocated(world);
  alice.permit("8.8.8.8");
  world.advance(299s);
  CHECK(alice.permit("8.8.8.8").code() == ok);
  world.advance(299s);
  CHECK(world.peer_sends("8.8.8.8:5000", alice, "hi") == Reason::relayed_to_client);
}

TEST_CASE("CreatePermission refreshes neither allocation nor other permissions",
          "[turn][rfc8656-9][c44]") {
  World world;
  auto alice = allocated(world);
  alice.permit("9.9.9.9");
  world.advance(250s);
  alice.permit("8.8.8.8");
  world.advance(50s);
  CHECK(world.peer_sends("9.9.9.9:5000", alice, "hi") == Reason::dropped_no_permission);
  CHECK(world.peer_sends("8.8.8.8:5000", alice, "hi") == Reason::relayed_to_client);
  alice.permit("8.8.8.8");
  world.advance(300s);
  CHECK(world.balance().allocations == 0);
}

TEST_CASE("a success of CreatePermission is empty", "[turn][rfc8656-10.2][c45]") {
  World world;
  auto alice = allocated(world);
  const Reply reply = alice.permit("8.8.8.8");
  CHECK(reply.reason == Reason::answered_create_permission);
  CHECK(reply.types().empty());
  CHECK(alice.repeat().code() == ok);
}

TEST_CASE("CreatePermission without a valid peer is a bad request",
          "[turn][rfc8656-10.2][c45][S05]") {
  World world;
  auto alice = allocated(world);
  CHECK(alice.request(Method::create_permission).code() == 400);
  const std::vector<Bytes> malformed{
      {},
      {0},
      {0, 1, 0},
      {0, 1, 0x12, 0x34},                 // no address
      {0, 1, 0x12, 0x34, 1, 2, 3},        // 7 bytes
      {0, 1, 0x12, 0x34, 1, 2, 3, 4, 5},  // 9
      {0, 0, 0x12, 0x34, 1, 2, 3, 4},     // family 0
      {0, 3, 0x12, 0x34, 1, 2, 3, 4},     // family 3
      {0, 255, 0x12, 0x34, 1, 2, 3, 4},   // family 255
      {0, 2, 0x12, 0x34, 1, 2, 3, 4},     // IPv6 with an IPv4 length
      Bytes(19, 2),
      Bytes(21, 2),
      Bytes(20, 1),  // IPv4 with an IPv6 length
  };
  for (const Bytes& value : malformed) {
    CAPTURE(to_hex(value));
    CHECK(alice.request(Method::create_permission, with_raw(0x0012, value)).code() == 400);
    // A good one beside it does not help.
    CHECK(alice.request(Method::create_permission, with_peer("8.8.8.8:0") + with_raw(0x0012, value))
              .code() == 400);
  }
  CHECK(alice.send("8.8.8.8:5000", "hi") == Reason::dropped_no_permission);
}

TEST_CASE("a peer of a family without relay gets 443", "[turn][rfc8656-10.2][c45]") {
  World world;
  auto v4 = allocated(world);
  CHECK(v4.permit("2001:4860:4860::8888").code() == 443);
  auto v6 = allocated(world, with_family(Family::ipv6), "198.51.100.7:4001");
  CHECK(v6.permit("8.8.8.8").code() == 443);
  CHECK(v6.permit("2001:4860:4860::8888").code() == ok);
  auto dual = allocated(world, with_additional(Family::ipv6), "198.51.100.7:4002");
  CHECK(dual.permit_all({"8.8.8.8", "2001:4860:4860::8888"}).code() == ok);
}

TEST_CASE("of several peers all get permission or none", "[turn][rfc8656-10.2][c45]") {
  World world;
  auto alice = allocated(world);
  SECTION("all") {
    CHECK(alice.permit_all({"8.8.8.8", "8.8.4.4", "9.9.9.9", "1.1.1.1", "8.8.8.8"}).code() == ok);
    for (const auto* peer : {"8.8.8.8:5000", "8.8.4.4:5000", "9.9.9.9:5000", "1.1.1.1:5000"}) {
      CHECK(alice.send(peer, "hi") == Reason::relayed_to_peer);
    }
  }
  SECTION("one of them forbidden: 403") {
    CHECK(alice.permit_all({"8.8.8.8", "10.0.0.1", "9.9.9.9"}).code() == 403);
    CHECK(alice.send("8.8.8.8:5000", "hi") == Reason::dropped_no_permission);
    CHECK(alice.send("9.9.9.9:5000", "hi") == Reason::dropped_no_permission);
  }
  SECTION("one of the wrong family: 443") {
    CHECK(alice.permit_all({"8.8.8.8", "2001:4860:4860::8888"}).code() == 443);
    CHECK(alice.send("8.8.8.8:5000", "hi") == Reason::dropped_no_permission);
  }
  SECTION("a refused request does not refresh what is there") {
    alice.permit("8.8.8.8");
    world.advance(200s);
    CHECK(alice.permit_all({"8.8.8.8", "10.0.0.1"}).code() == 403);
    world.advance(100s);
    CHECK(alice.send("8.8.8.8:5000", "hi") == Reason::dropped_no_permission);
  }
}

TEST_CASE("permissions beyond the limit get 508, and none of the request",
          "[turn][rfc8656-10.2][c45][Q04]") {
  WorldSettings settings;
  settings.limits.max_permissions = 3;
  World world{settings};
  auto alice = allocated(world);
  CHECK(alice.permit_all({"8.8.8.8", "8.8.8.9"}).code() == ok);
  const Reply reply = alice.permit_all({"8.8.8.10", "8.8.8.11"});
  CHECK(reply.code() == 508);
  CHECK(reply.reason == Reason::refused_capacity);
  CHECK(alice.send("8.8.8.10:5000", "hi") == Reason::dropped_no_permission);
  CHECK(alice.permit_all({"8.8.8.10", "8.8.8.8", "8.8.8.10"}).code() ==
        ok);  // one new address only
  CHECK(alice.permit_all({"8.8.8.8", "8.8.8.9", "8.8.8.10"}).code() ==
        ok);  // refreshing is no growth
  CHECK(alice.permit("8.8.8.11").code() == 508);
  CHECK(alice.bind_channel(0x4000, "8.8.8.11:5000").code() == 508);
  CHECK(alice.bind_channel(0x4000, "8.8.8.8:5000").code() == ok);
  world.advance(300s);
  CHECK(alice.permit("8.8.8.11").code() == ok);  // those that ran out do not count
}

// --- Policy --------------------------------------------------------------------------------------

TEST_CASE("peers that the policy denies get 403", "[turn][rfc8656-10.2][c45][c57][P10]") {
  World world;
  auto alice = allocated(world, with_additional(Family::ipv6));
  const auto peer =
      GENERATE(as<std::string>{}, "127.0.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1",
               "169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255", "::1",
               "::", "fe80::1", "ff02::1", "fc00::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8",
               "2002:7f00:1::", "2001:0:1:2:3:4:5:6", "64:ff9b::7f00:1");
  const Reply reply = alice.permit(peer);
  CHECK(reply.code() == 403);
  CHECK(reply.reason == Reason::refused_forbidden);
  const Endpoint at{address(peer), 5000};
  CHECK(alice.bind_channel(0x4000, at.to_string()).code() == 403);
  CHECK(alice.send(at.to_string(), "hi") == Reason::dropped_no_permission);
}

TEST_CASE("the policy is asked again for every datagram, with its port", "[turn][c57][P10]") {
  World world;
  auto alice = allocated(world);
  CHECK(alice.permit("8.8.8.8").code() == ok);
  CHECK(alice.send("8.8.8.8:443", "hi") == Reason::relayed_to_peer);
  CHECK(alice.send("8.8.8.8:1024", "hi") == Reason::relayed_to_peer);
  for (const auto* peer : {"8.8.8.8:0", "8.8.8.8:25", "8.8.8.8:53", "8.8.8.8:1023"}) {
    CHECK(alice.send(peer, "hi") == Reason::dropped_peer_denied);
    CHECK(alice.bind_channel(0x4000, peer).code() == 403);
  }
}

TEST_CASE("this server's own addresses and listeners are no peers, only live relays on them are",
          "[turn][rfc8656-21][c57][P11]") {
  World world;
  auto alice = allocated(world, with_additional(Family::ipv6));
  CHECK(alice.permit_all({"192.0.2.1", "2001:db8::1"}).code() == ok);  // alice's relays are there
  for (const auto* peer :
       {"192.0.2.1:3478", "192.0.2.1:9641", "[2001:db8::1]:3478", "[2001:db8::1]:9641"}) {
    CHECK(alice.send(peer, "loop") == Reason::dropped_peer_denied);
    CHECK(alice.bind_channel(0x4000, peer).code() == 403);
  }
  CHECK(alice.send(alice.relayed().to_string(), "to myself") == Reason::relayed_between_clients);
  CHECK(alice.data()->payload == "to myself");
}

TEST_CASE("no setting opens this server's listeners to peers", "[turn][rfc8656-21][c57][P11]") {
  WorldSettings settings;
  const IpPrefix own = IpPrefix::host(address("192.0.2.1"));
  SECTION("allow_peers that names the address") { settings.policy.allow = {{own, {}, {}}}; }
  SECTION("--insecure-allow-peers") { settings.policy.insecure_allow = {own}; }
  World world{settings};
  auto alice = allocated(world);
  alice.permit("192.0.2.1");
  CHECK(alice.send("192.0.2.1:5000", "hi") == Reason::relayed_to_peer);
  CHECK(alice.send("192.0.2.1:3478", "loop") == Reason::dropped_peer_denied);
  CHECK(alice.bind_channel(0x4000, "192.0.2.1:3478").code() == 403);
}

TEST_CASE("an own address without any relay on it cannot even be permitted",
          "[turn][rfc8656-21][c57][P11]") {
  WorldSettings settings;
  settings.policy.own_addresses.push_back(address("9.9.9.9"));
  World world{settings};
  auto alice = allocated(world);
  CHECK(alice.permit("9.9.9.9").code() == 403);
}

TEST_CASE("two clients of this server reach each other, whatever range its address is in",
          "[turn][c57]") {
  World world;  // its relays are on documentation addresses, which the policy denies
  auto alice = allocated(world);
  auto bob = allocated(world, {}, "198.51.100.8:4000");
  CHECK(alice.permit("192.0.2.1").code() == ok);
  CHECK(bob.permit("192.0.2.1").code() == ok);

  SECTION("by Send and Data") {
    CHECK(alice.send(bob.relayed().to_string(), "hi") == Reason::relayed_between_clients);
    CHECK(bob.data()->payload == "hi");
    CHECK(bob.data()->peer == alice.relayed());
  }
  SECTION("by channel") {
    CHECK(alice.bind_channel(0x4000, bob.relayed().to_string()).code() == ok);
    CHECK(alice.send_channel(0x4000, "hi") == Reason::relayed_between_clients);
    CHECK(bob.data()->peer == alice.relayed());
  }
}

TEST_CASE("what else runs on this host cannot use the permission meant for other clients' relays",
          "[turn][P16]") {
  World world;
  auto alice = allocated(world);
  auto bob = allocated(world, {}, "198.51.100.8:4000");
  SECTION("by CreatePermission") { alice.permit("192.0.2.1"); }
  SECTION("by ChannelBind") { alice.bind_channel(0x4000, bob.relayed().to_string()); }
  CHECK(world.peer_sends("192.0.2.1:9641", alice, "hi") == Reason::dropped_peer_denied);
  CHECK(world.peer_sends(bob.relayed(), alice.relayed(), "hi") == Reason::relayed_to_client);
}

TEST_CASE("the exemption ends with the other's allocation", "[turn][c57]") {
  World world;
  auto alice = allocated(world);
  auto bob = allocated(world, {}, "198.51.100.8:4000");
  const std::string peer = bob.relayed().to_string();
  alice.permit("192.0.2.1");
  alice.bind_channel(0x4000, peer);
  CHECK(alice.send(peer, "hi") == Reason::dropped_no_permission);  // at bob's, not at alice's
  CHECK(alice.send_channel(0x4000, "hi") == Reason::dropped_no_permission);

  SECTION("deleted") { bob.refresh(0s); }
  SECTION("run out") {
    world.advance(250s);
    alice.refresh();
    alice.permit("192.0.2.1");
    alice.bind_channel(0x4000, peer);
    world.advance(250s);
    alice.refresh();
    alice.permit("192.0.2.1");
    world.advance(100s);
  }
  REQUIRE(world.balance().allocations == 1);
  CHECK(alice.send(peer, "hi") == Reason::dropped_peer_denied);
  CHECK(alice.send_channel(0x4000, "hi") == Reason::dropped_peer_denied);
  CHECK(alice.bind_channel(0x4002, peer).code() != ok);
}

}  // namespace turnpike::test
