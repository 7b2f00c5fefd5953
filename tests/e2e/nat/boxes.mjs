// The kinds of NAT boxes, as nftables rules for the box: `wan` is outside, `lan` the home.

// Nobody outside opens a mapping. What is dropped here leaves no trace in the connection table:
// a trace would take the very port with which the home is about to answer, and the home's packet
// would leave by another one (Linux's well-known obstacle to hole punching).
const inputFilter = `
  chain input {
    type filter hook input priority filter; policy accept;
    iifname "wan" ct state new drop
  }`;

const filter = `${inputFilter}
  chain forward {
    type filter hook forward priority filter; policy drop;
    iifname "lan" accept
    ct state established,related accept
  }`;

const translation = (...rules) => `
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ${rules.map((rule) => `oifname "wan" ${rule}`).join('\n    ')}
  }`;

// The home's ports are the box's: what comes for one goes in, if `condition` holds.
const openPorts = (home, condition = '') => `
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    iifname "wan" meta l4proto udp ${condition} dnat to ${home}
  }`;

// Addresses that a port of the home has sent to: the memory of address-dependent filtering.
const memory = `
  set contacted {
    type ipv4_addr . inet_service
    flags dynamic,timeout
    timeout 2m
  }
  chain remember {
    type filter hook forward priority filter - 1; policy accept;
    iifname "lan" meta l4proto udp update @contacted { ip daddr . udp sport }
  }`;
const wasContacted = (port) => `ip saddr . udp ${port} @contacted`;

const chains = {
  // A router without translation or filter: the home has public addresses.
  direct: () => '',
  // The same with a firewall, by connection and by address.
  firewall: () => filter,
  firewallByAddress: () => `${memory}
  chain forward {
    type filter hook forward priority filter; policy drop;
    iifname "lan" accept
    meta l4proto udp ${wasContacted('dport')} accept
    ct state established,related accept
  }`,
  // The inner port is kept while it is free, whatever the destination: endpoint-independent
  // mapping, address- and port-dependent filtering (RFC 4787 §4.1, §5). Holes can be punched.
  easy: () => translation('masquerade persistent') + filter,
  // The same mapping, and everybody may send to it: a "full cone". It hairpins, too.
  open: ({ home, box }) => `${translation('masquerade persistent')}${openPorts(home)}
  chain hairpin_in {
    type nat hook prerouting priority dstnat + 1; policy accept;
    iifname "lan" ip daddr ${box} meta l4proto udp dnat to ${home}
  }
  chain hairpin_out {
    type nat hook postrouting priority srcnat + 1; policy accept;
    iifname "lan" oifname "lan" masquerade
  }`,
  // The same mapping, filtered by address: a "restricted cone".
  byAddress: ({ home }) =>
    translation('masquerade persistent') + memory + openPorts(home, wasContacted('dport')) + inputFilter,
  // One port for each address: the server's second address has a range of its own, and Linux gives a
  // source the same port again within a range.
  mappingByAddress: ({ box, secondServer }) =>
    translation(
      `ip daddr ${secondServer} meta l4proto udp snat to ${box}:30000-39999`,
      `meta l4proto udp snat to ${box}:40000-49999`,
      'masquerade',
    ) + filter,
  // A random port for each destination: address- and port-dependent mapping. Nobody can guess
  // through which port a packet to a new destination will leave.
  symmetric: () => translation('masquerade fully-random') + filter,
  // TCP only.
  noUdp: () => `${translation('masquerade')}
  chain forward {
    type filter hook forward priority filter; policy accept;
    meta l4proto udp drop
  }`,
};

/// The rules of a box, for `nft -f`. `addresses` are {home, box, secondServer}.
export function rulesOf(kind, addresses) {
  if (!(kind in chains)) throw new Error(`a NAT box is ${Object.keys(chains).join(', ')}, not ${kind}`);
  return `table ip box {${chains[kind](addresses)}\n}\n`;
}

/// A home behind that kind has a public address of its own.
export const isTransparent = (kind) => ['direct', 'firewall', 'firewallByAddress'].includes(kind);
