#include "base/proxy_protocol.h"

#include "base/crypto.h"
#include "base/proxy_header.h"
#include "catch.h"

namespace turnpike {
namespace {

using test::Bytes;
using test::copy_of;
using test::proxy_block;
using test::proxy_v2;
using test::proxy_v2_for;

constexpr auto stream = ProxyCarrier::stream;
constexpr auto datagram = ProxyCarrier::datagram;

Bytes text(std::string_view text) { return copy_of(bytes_of(text)); }

ProxyState state_of(const Bytes& input, ProxyCarrier carrier = stream) {
  ProxyHeader header;
  return find_proxy_header(input, carrier, header);
}

/// The header at the start of `input`, with more behind it. Fails the test when there is none, or
/// when any piece of it is taken for more or for less than the beginning of a header.
ProxyHeader header_of(const Bytes& input, ProxyCarrier carrier = stream) {
  ProxyHeader header;
  Bytes longer = input;
  longer.insert(longer.end(), {0, 1, 0, 8});
  REQUIRE(find_proxy_header(longer, carrier, header) == ProxyState::complete);
  CHECK(header.size == input.size());
  CHECK(state_of(input, carrier) == ProxyState::complete);
  for (std::size_t size = 0; size < input.size(); ++size) {
    CAPTURE(size);
    CHECK(state_of(copy_of(ByteView{input}.first(size)), carrier) == ProxyState::incomplete);
  }
  return header;
}

std::string source_of(const Bytes& input, ProxyCarrier carrier = stream) {
  const ProxyHeader header = header_of(input, carrier);
  return header.ends ? header.ends->source.to_string() : "";
}
std::string destination_of(const Bytes& input, ProxyCarrier carrier = stream) {
  const ProxyHeader header = header_of(input, carrier);
  return header.ends ? header.ends->destination.to_string() : "";
}

Bytes joined(Bytes first, const Bytes& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

Bytes tlv(unsigned type, const Bytes& value) {
  const auto byte = [](std::size_t number) { return static_cast<std::uint8_t>(number); };
  return joined({byte(type), byte(value.size() >> 8), byte(value.size())}, value);
}

const Bytes v4_block = proxy_block("192.0.2.1:4000", "198.51.100.1:3478");

}  // namespace

// --- Version 1 -----------------------------------------------------------------------------------

TEST_CASE("a line of PROXY protocol version 1 says who the client is", "[base][proxy]") {
  const Bytes v4 = text("PROXY TCP4 192.0.2.1 198.51.100.1 4000 443\r\n");
  CHECK(source_of(v4) == "192.0.2.1:4000");
  CHECK(destination_of(v4) == "198.51.100.1:443");
  const Bytes v6 = text("PROXY TCP6 2001:db8::7 2001:DB8:0::1 65535 0\r\n");
  CHECK(source_of(v6) == "[2001:db8::7]:65535");
  CHECK(destination_of(v6) == "[2001:db8::1]:0");
  const Bytes longest = text(
      "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
      "65535 65535\r\n");
  CHECK(longest.size() == 104);
  CHECK(source_of(longest) == "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
}

TEST_CASE("UNKNOWN leaves the real addresses, whatever stands behind it", "[base][proxy]") {
  CHECK(source_of(text("PROXY UNKNOWN\r\n")).empty());
  CHECK(source_of(text("PROXY UNKNOWN anything goes  here\r\n")).empty());
  const std::string longest = "PROXY UNKNOWN " + std::string(91, 'f') + "\r\n";
  REQUIRE(longest.size() == proxy_v1_bytes_max);
  CHECK(source_of(text(longest)).empty());
  CHECK(state_of(text("PROXY UNKNOWN " + std::string(92, 'f') + "\r\n")) == ProxyState::broken);
}

TEST_CASE("107 bytes without CRLF are no header", "[base][proxy]") {
  const std::string endless = "PROXY UNKNOWN " + std::string(1000, 'f');
  CHECK(state_of(text(endless.substr(0, 106))) == ProxyState::incomplete);
  CHECK(state_of(text(endless.substr(0, 107))) == ProxyState::broken);
  CHECK(state_of(text(endless)) == ProxyState::broken);
  CHECK(state_of(text(endless.substr(0, 106) + "\r")) == ProxyState::broken);
}

TEST_CASE("a line that is not to the letter is refused", "[base][proxy]") {
  const auto line = GENERATE(as<std::string>{},  //
                             "PROXY \r\n", "PROXY TCP4\r\n", "PROXY TCP5 1.2.3.4 1.2.3.4 1 1\r\n",
                             "PROXY UDP4 192.0.2.1 198.51.100.1 4000 443\r\n",
                             "PROXY  TCP4 192.0.2.1 198.51.100.1 4000 443\r\n",
                             "PROXY TCP4  192.0.2.1 198.51.100.1 4000 443\r\n",
                             "PROXY TCP4 192.0.2.1 198.51.100.1 4000 443 \r\n",
                             "PROXY TCP4 192.0.2.1 198.51.100.1 4000 443 1\r\n",
                             "PROXY TCP4 192.0.2.1 198.51.100.1 4000\r\n",
                             "PROXY TCP4 192.0.2.1 198.51.100.1 4000 \r\n",
                             "PROXY TCP4 192.0.2.1 198.51.100.1 04000 443\r\n",
                             "PROXY TCP4 192.0.2.1 198.51.100.1 +4000 443\r\n",
                             "PROXY TCP4 192.0.2.1 198.51.100.1 -1 443\r\n",
                             "PROXY TCP4 192.0.2.1 198.51.100.1 4000 65536\r\n",
                             "PROXY TCP4 192.0.2.1 198.51.100.1 4000 4x\r\n",
                             "PROXY TCP4 192.0.2.256 198.51.100.1 4000 443\r\n",
                             "PROXY TCP4 192.0.2.01 198.51.100.1 4000 443\r\n",
                             "PROXY TCP4 2001:db8::7 2001:db8::1 4000 443\r\n",
                             "PROXY TCP6 192.0.2.1 198.51.100.1 4000 443\r\n",
                             "PROXY TCP6 2001:db8::7 198.51.100.1 4000 443\r\n",
                             "PROXY TCP6 fe80::1%lo fe80::2 4000 443\r\n",
                             "PROXY tcp4 192.0.2.1 198.51.100.1 4000 443\r\n",
                             "PROXY TCP4\t192.0.2.1 198.51.100.1 4000 443\r\n",
                             "PROXY TCP4 192.0.2.1 198.51.100.1 4000 443\r\r\n",
                             "PROXY TCP4 192.0.2.1 198.51.100.1 4000 443\rX", "PROXX", "proxy ",
                             "GET / HTTP/1.1\r\n", "\x16\x03\x01", "PROXY UNKNOWNS\r\n");
  CAPTURE(line);
  CHECK(state_of(text(line)) == ProxyState::broken);
}

TEST_CASE("a line feed alone ends no line", "[base][proxy]") {
  CHECK(state_of(text("PROXY TCP4 192.0.2.1 198.51.100.1 4000 443\n")) == ProxyState::incomplete);
  CHECK(state_of(text("PROXY TCP4 192.0.2.1 198.51.100.1 4000 443\n\r\n")) == ProxyState::broken);
}

// --- Version 2 -----------------------------------------------------------------------------------

TEST_CASE("a header of version 2 says who the client is", "[base][proxy]") {
  // Spelled out once, so that the builders are not what is tested.
  const Bytes v4 =
      test::from_hex("0d0a0d0a000d0a515549540a 21 11 000c c0000201 c6336401 0fa0 0d96");
  CHECK(v4 == proxy_v2(0x21, 0x11, v4_block));
  CHECK(source_of(v4) == "192.0.2.1:4000");
  CHECK(destination_of(v4) == "198.51.100.1:3478");
  const Bytes v6 = proxy_v2_for("[2001:db8::7]:4000");
  CHECK(source_of(v6) == "[2001:db8::7]:4000");
  CHECK(destination_of(v6) == "[2001:db8::1]:3478");
  CHECK(source_of(proxy_v2_for("192.0.2.1:4000", true), datagram) == "192.0.2.1:4000");
  CHECK(source_of(proxy_v2_for("[2001:db8::7]:4000", true), datagram) == "[2001:db8::7]:4000");
}

TEST_CASE("IPv4-mapped addresses are the IPv4 addresses they stand for", "[base][proxy][P08]") {
  CHECK(source_of(text("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.1 4000 443\r\n")) ==
        "192.0.2.1:4000");
  const Bytes header = proxy_v2_for("[::ffff:192.0.2.1]:4000");
  CHECK(source_of(header) == "192.0.2.1:4000");
  CHECK(destination_of(header) == "[2001:db8::1]:3478");
}

TEST_CASE("a balancer that speaks for itself keeps its address", "[base][proxy]") {
  const auto carrier = GENERATE(stream, datagram);
  CHECK(source_of(proxy_v2(0x20, 0x00, {}), carrier).empty());
  // LOCAL: the rest is ignored, even what could not stand there.
  CHECK(source_of(proxy_v2(0x20, 0x11, v4_block), carrier).empty());
  CHECK(source_of(proxy_v2(0x20, 0xff, Bytes(100, 0xff)), carrier).empty());
  // UNSPEC and AF_UNIX: for somebody, but without an address of ours.
  CHECK(source_of(proxy_v2(0x21, 0x00, {}), carrier).empty());
  CHECK(source_of(proxy_v2(0x21, 0x00, Bytes(100, 0xff)), carrier).empty());
  CHECK(source_of(proxy_v2(0x21, 0x10, v4_block), carrier).empty());
  CHECK(source_of(proxy_v2(0x21, carrier == stream ? 0x31U : 0x32U, Bytes(216)), carrier).empty());
}

TEST_CASE("the claimed transport must be the one it came by", "[base][proxy]") {
  for (const unsigned family : {0x10U, 0x20U, 0x30U}) {
    CHECK(state_of(proxy_v2(0x21, family | 2, Bytes(216)), stream) == ProxyState::broken);
    CHECK(state_of(proxy_v2(0x21, family | 1, Bytes(216)), datagram) == ProxyState::broken);
  }
  CHECK(state_of(text("PROXY TCP4 192.0.2.1 198.51.100.1 4000 443\r\n"), datagram) ==
        ProxyState::broken);
  CHECK(state_of(text("PROXY UNKNOWN\r\n"), datagram) == ProxyState::broken);
}

TEST_CASE("versions, commands, families and protocols that do not exist are refused",
          "[base][proxy]") {
  for (unsigned ver_cmd = 0; ver_cmd < 256; ++ver_cmd) {
    CAPTURE(ver_cmd);
    const bool is_known = ver_cmd == 0x20 || ver_cmd == 0x21;
    CHECK(state_of(proxy_v2(ver_cmd, 0x11, v4_block)) ==
          (is_known ? ProxyState::complete : ProxyState::broken));
  }
  for (unsigned family = 0; family < 256; ++family) {
    CAPTURE(family);
    const bool is_known = family >> 4 <= 3 && (family & 15) <= 1;
    CHECK(state_of(proxy_v2(0x21, family, Bytes(216))) ==
          (is_known ? ProxyState::complete : ProxyState::broken));
  }
}

TEST_CASE("a wrong byte in the signature is seen at once", "[base][proxy]") {
  const Bytes header = proxy_v2_for("192.0.2.1:4000");
  for (std::size_t at = 0; at < 12; ++at) {
    Bytes wrong = header;
    wrong[at] ^= 0x01;
    CHECK(state_of(copy_of(ByteView{wrong}.first(at + 1))) == ProxyState::broken);
    CHECK(state_of(wrong, datagram) == ProxyState::broken);
  }
}

TEST_CASE("a length that does not hold the addresses is refused", "[base][proxy]") {
  for (const auto& [family, needed] :
       {std::pair{0x11U, 12U}, std::pair{0x21U, 36U}, std::pair{0x31U, 216U}}) {
    for (unsigned size = 0; size <= needed; ++size) {
      CAPTURE(family, size);
      CHECK(state_of(proxy_v2(0x21, family, Bytes(size))) ==
            (size < needed ? ProxyState::broken : ProxyState::complete));
    }
  }
}

TEST_CASE("a header longer than the cap is refused before it has come", "[base][proxy]") {
  const std::size_t most = proxy_v2_bytes_max - 16;
  CHECK(source_of(proxy_v2(0x20, 0x00, Bytes(most))).empty());
  for (const std::size_t length : {most + 1, std::size_t{0xffff}}) {
    const Bytes header = proxy_v2(0x20, 0x00, Bytes(length));
    CHECK(state_of(copy_of(ByteView{header}.first(16))) == ProxyState::broken);
    CHECK(state_of(header) == ProxyState::broken);
  }
}

TEST_CASE("TLVs are skipped when they fill their space", "[base][proxy]") {
  const auto with = [](const Bytes& tlvs) { return proxy_v2(0x21, 0x11, joined(v4_block, tlvs)); };
  CHECK(source_of(with(tlv(0x04, {}))) == "192.0.2.1:4000");
  CHECK(source_of(with(joined(tlv(0x05, Bytes(128)), tlv(0xee, {1})))) == "192.0.2.1:4000");
  CHECK(state_of(with({0x04})) == ProxyState::broken);
  CHECK(state_of(with({0x04, 0})) == ProxyState::broken);
  CHECK(state_of(with({0x04, 0, 1})) == ProxyState::broken);
  CHECK(state_of(with({0x04, 0xff, 0xff, 1})) == ProxyState::broken);
  CHECK(state_of(with(joined(tlv(0x04, {}), {0}))) == ProxyState::broken);
}

TEST_CASE("a CRC32c, where there is one, must be right", "[base][proxy]") {
  Bytes header =
      proxy_v2(0x21, 0x11, joined(v4_block, joined(tlv(0x03, Bytes(4)), tlv(0x05, {1, 2}))));
  CHECK(state_of(header) == ProxyState::broken);
  store_be32(MutableByteView{header}.subspan(16 + 12 + 3), crc32c({header}));
  CHECK(source_of(header) == "192.0.2.1:4000");
  for (std::size_t at = 16; at < header.size(); ++at) {
    if (at == 16 + 12) continue;  // as a TLV of another type it would be no checksum
    CAPTURE(at);
    Bytes wrong = header;
    wrong[at] ^= 0x10;
    CHECK(state_of(wrong) != ProxyState::complete);
  }
  CHECK(state_of(proxy_v2(0x21, 0x11, joined(v4_block, tlv(0x03, {})))) == ProxyState::broken);
  CHECK(state_of(proxy_v2(0x21, 0x11, joined(v4_block, tlv(0x03, Bytes(8))))) ==
        ProxyState::broken);
}

TEST_CASE("no client of ours begins like a header", "[base][proxy]") {
  CHECK(may_begin_proxy_header('P'));
  CHECK(may_begin_proxy_header(0x0d));
  for (const unsigned first : {0x00U, 0x01U, 0x16U, 0x40U, 0x4fU}) {
    CHECK_FALSE(may_begin_proxy_header(static_cast<std::uint8_t>(first)));
  }
}

}  // namespace turnpike
