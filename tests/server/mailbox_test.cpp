#include "server/mailbox.h"

#include <sys/socket.h>

#include <array>
#include <string>
#include <thread>

#include "catch.h"

namespace turnpike::server {
namespace {

using namespace std::chrono_literals;

const Endpoint sender{IpAddress::v4(0xC0000201), 50000};

void add(Mail& mail, std::uint32_t slot, const std::string& payload) {
  mail.add_datagram({slot, 1}, sender, bytes_of(payload));
}

/// Slot and payload of every letter.
std::vector<std::pair<std::uint32_t, std::string>> contents(Mail& mail) {
  std::vector<std::pair<std::uint32_t, std::string>> result;
  for (const Letter& letter : mail.letters()) {
    const auto& datagram = std::get<PeerLetter>(letter);
    CHECK((datagram.from == sender));
    result.emplace_back(datagram.relay.slot, std::string{text_of(mail.bytes_of(datagram))});
  }
  return result;
}

}  // namespace

TEST_CASE("letters of several turns are collected together, in their order", "[server]") {
  net::Poller reader;
  Mailbox box;
  box.attach(reader);
  Mail mail;
  add(mail, 1, "one");
  add(mail, 2, "");
  CHECK(box.deliver(mail));
  CHECK(mail.empty());
  add(mail, 3, "three");
  CHECK(box.deliver(mail));

  Mail inbox;
  box.collect(inbox);
  using Contents = std::vector<std::pair<std::uint32_t, std::string>>;
  CHECK(contents(inbox) == Contents{{1, "one"}, {2, ""}, {3, "three"}});
  inbox.clear();
  box.collect(inbox);
  CHECK(inbox.empty());
}

TEST_CASE("a delivery wakes the reader once until it has collected", "[server]") {
  net::Poller reader;
  Mailbox box;
  box.attach(reader);
  Mail mail;
  add(mail, 1, "one");
  CHECK(box.deliver(mail));
  REQUIRE(reader.poll().size() == 1);
  add(mail, 2, "two");
  CHECK(box.deliver(mail));
  CHECK(reader.poll().empty());
  Mail inbox;
  box.collect(inbox);
  inbox.clear();
  add(mail, 3, "three");
  CHECK(box.deliver(mail));
  CHECK(reader.poll().size() == 1);
}

TEST_CASE("a mailbox that is not read does not grow without end", "[server]") {
  net::Poller reader;
  Mailbox box;
  box.attach(reader);
  const std::string payload(60'000, 'x');
  std::size_t taken = 0;
  Mail mail;
  for (int i = 0; i < 200; ++i) {
    add(mail, 1, payload);
    if (box.deliver(mail)) ++taken;
    CHECK(mail.empty());
  }
  CHECK(taken == Mailbox::max_bytes / payload.size());
}

TEST_CASE("letters of every kind keep their bytes and their order", "[server][c66]") {
  net::Poller reader;
  Mailbox box;
  box.attach(reader);
  const FiveTuple client{{IpAddress::v4(0xC6336407), 4000}, sender};
  const turn::ClientFlow flow{client, turn::ListenerId{5}, turn::WorkerId{1}};
  for (int turn = 0; turn < 2; ++turn) {
    Mail mail;
    add(mail, 1, "peer");
    mail.add_from_guest(flow, bytes_of("from guest"));
    mail.add_to_client(client, turn::WorkerId{2}, bytes_of("to "), bytes_of("client"), 3);
    mail.add_guest_over(client, turn::WorkerId{2});
    mail.add_client_gone(client);
    CHECK(box.deliver(mail));
  }
  Mail inbox;
  box.collect(inbox);
  REQUIRE(inbox.letters().size() == 10);
  for (std::size_t i = 0; i < 10; i += 5) {
    const auto& letters = inbox.letters();
    CHECK(text_of(inbox.bytes_of(std::get<PeerLetter>(letters[i]))) == "peer");
    const auto& from_guest = std::get<GuestLetter>(letters[i + 1]);
    CHECK(text_of(inbox.bytes_of(from_guest)) == "from guest");
    CHECK((from_guest.flow.tuple == client && from_guest.flow.listener == turn::ListenerId{5}));
    const auto& to_client = std::get<ClientLetter>(letters[i + 2]);
    CHECK(text_of(inbox.bytes_of(to_client)) == std::string_view("to client\0\0\0", 12));
    CHECK((to_client.client == client && to_client.home == turn::WorkerId{2}));
    CHECK((std::get<GuestOverLetter>(letters[i + 3]).client == client));
    CHECK((std::get<ClientGoneLetter>(letters[i + 4]).client == client));
  }
}

TEST_CASE("many writers lose nothing", "[server]") {
  net::Poller reader;
  Mailbox box;
  box.attach(reader);
  std::vector<std::thread> writers;
  for (std::uint32_t writer = 0; writer < 3; ++writer) {
    writers.emplace_back([&box, writer] {
      Mail mail;
      for (int i = 0; i < 5'000; ++i) {
        add(mail, writer, std::to_string(i));
        while (!box.deliver(mail)) std::abort();
      }
    });
  }
  std::array<int, 3> next{};
  Mail inbox;
  while (next != std::array<int, 3>{5'000, 5'000, 5'000}) {
    static_cast<void>(reader.wait_until(std::nullopt));
    box.collect(inbox);
    for (const auto& [writer, payload] : contents(inbox)) {
      if (payload != std::to_string(next.at(writer)++)) FAIL("out of order");
    }
    inbox.clear();
  }
  for (std::thread& writer : writers) writer.join();
}

TEST_CASE("a client's connection finds room in a box that is full of datagrams", "[server]") {
  net::Poller reader;
  Mailbox box;
  box.attach(reader);
  Mail mail;
  add(mail, 1, std::string(Mailbox::max_bytes, 'x'));
  REQUIRE(box.deliver(mail));
  add(mail, 2, "x");
  REQUIRE_FALSE(box.deliver(mail));

  std::array<int, 2> ends{};
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  const net::TcpSocket far{ends[1]};
  mail.add_stream({StreamSession{net::TcpSocket{ends[0]}, {}, nullptr}, {7, 9}});
  CHECK(box.deliver(mail));
  Mail inbox;
  box.collect(inbox);
  REQUIRE(inbox.letters().size() == 2);
  const auto& stream = std::get<StreamLetter>(inbox.letters()[1]);
  CHECK(stream.client.descriptor() == ends[0]);
  CHECK((stream.connection == turn::PeerConnectionId{7, 9}));
}

TEST_CASE("a letter to all is in every mailbox, but for those that are full", "[server]") {
  net::Poller reader;
  Mailboxes boxes{3};
  constexpr std::array all{turn::WorkerId{0}, turn::WorkerId{1}, turn::WorkerId{2}};
  for (const turn::WorkerId worker : all) boxes.of(worker).attach(reader);
  Mail flood;  // more than fits: the first mail is taken whatever its size
  add(flood, 1, std::string(Mailbox::max_bytes + 1, 'x'));
  CHECK(boxes.of(all[1]).deliver(flood));

  CHECK(boxes.tell_all(ForgetUsersLetter{}) == std::vector{all[1]});
  for (const turn::WorkerId worker : {all[0], all[2]}) {
    Mail mail;
    boxes.of(worker).collect(mail);
    REQUIRE(mail.letters().size() == 1);
    CHECK(std::holds_alternative<ForgetUsersLetter>(mail.letters().front()));
  }
}

}  // namespace turnpike::server
