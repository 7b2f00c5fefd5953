// The kinds of NAT boxes, as nftables rules for the box: `wan` is outside, `lan` the home.

// Nobody outside opens a mapping. What is dropped here leaves no trace in the connection table:
// a trace would take the very port with which the home is about to answer, and the home's packet
// would leave by another one (Linux's well-known obstacle to hole punching).
const filter = `
  chain input {
    type filter hook input priority filter; policy accept;
    iifname "wan" ct state new drop
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    iifname "lan" accept
    ct state established,related accept
  }`;

const translation = (masquerade) => `
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "wan" ${masquerade}
  }`;

const chains = {
  // A router without translation or filter: the home has public addresses.
  direct: '',
  // The inner port is kept while it is free, whatever the destination: endpoint-independent
  // mapping, address- and port-dependent filtering (RFC 4787 §4.1, §5). Holes can be punched.
  easy: translation('masquerade persistent') + filter,
  // A random port for each destination: address- and port-dependent mapping. Nobody can guess
  // through which port a packet to a new destination will leave.
  symmetric: translation('masquerade fully-random') + filter,
};

/// The rules of a box, for `nft -f`.
export function rulesOf(kind) {
  if (!(kind in chains)) throw new Error(`a NAT box is direct, easy or symmetric, not ${kind}`);
  return `table ip box {${chains[kind]}\n}\n`;
}
