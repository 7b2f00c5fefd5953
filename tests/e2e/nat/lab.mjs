// A network of its own on one machine: a public segment with the server's host, and homes behind
// NAT boxes of chosen kinds. Namespaces, veth pairs, one bridge, nftables; README.md has a drawing.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { isTransparent, rulesOf } from './boxes.mjs';

/// Addresses of the server's host, which is also the router of the public segment. They are from a
/// range that looks public, so that the server's default peer policy judges them as it would judge
/// any host on the internet: documentation ranges it refuses, and a server that has been told to
/// relay to them would not be the one that people run. The namespaces have no way out.
export const serverAddresses = ['11.22.0.1', '11.22.0.2'];

const publicPrefix = '/16';
const boxAddress = (number) => `11.22.${number}.1`;
const homeNetwork = (kind, number) => (isTransparent(kind) ? `11.24.${number}` : `192.168.${number}`);

// In a process group of its own: a Ctrl-C is for this process, and must not end what cleans up.
const commandOptions = { stdio: 'pipe', detached: true };
const ip = (...args) => execFileSync('ip', args, commandOptions);

/// Takes a step of the removal, again if need be: `ip` may have been hit before it left the group.
function insistOn(step) {
  for (let attemptsLeft = 9; ; attemptsLeft -= 1) {
    try {
      return step();
    } catch (error) {
      if (attemptsLeft === 0) throw error;
    }
  }
}

let labsMade = 0;
const standing = new Set();

process.on('exit', () => standing.forEach((lab) => lab.remove()));
// By default a signal ends node without the event above. (Not `once`: a second signal would do so.)
for (const [signal, number] of [['SIGHUP', 1], ['SIGINT', 2], ['SIGTERM', 15]]) {
  process.on(signal, () => process.exit(128 + number));
}

/// A host or a box: a network namespace under a name that no other lab has.
class Host {
  constructor(name) {
    this.name = name;
    ip('netns', 'add', name);
    this.ip('link', 'set', 'lo', 'up');
  }

  ip(...args) {
    return ip('-n', this.name, ...args);
  }

  /// `program` with `args` as a command that runs inside: [program, args].
  command(program, args = []) {
    return ['ip', ['netns', 'exec', this.name, program, ...args]];
  }

  run(program, args, options = {}) {
    const [outer, outerArgs] = this.command(program, args);
    return execFileSync(outer, outerArgs, { ...commandOptions, ...options });
  }

  raise(device, ...addresses) {
    this.ip('link', 'set', device, 'addrgenmode', 'none');
    for (const address of addresses) this.ip('addr', 'add', address, 'dev', device);
    this.ip('link', 'set', device, 'up');
  }

  forwardsPackets() {
    this.run('sysctl', ['-q', '-w', 'net.ipv4.ip_forward=1']);
  }

  /// Ends what still runs inside and gives the namespace back, if it is there.
  remove() {
    if (!existsSync(`/run/netns/${this.name}`)) return;
    for (const pid of ip('netns', 'pids', this.name).toString().split('\n').filter(Boolean)) {
      try {
        process.kill(Number(pid), 'SIGKILL');
      } catch {
        // ended by itself in the meantime
      }
    }
    ip('netns', 'del', this.name);
  }
}

function cable(one, oneDevice, other, otherDevice) {
  ip('link', 'add', oneDevice, 'netns', one.name, 'type', 'veth', 'peer', 'name', otherDevice, 'netns', other.name);
}

class Lab {
  #hosts = [];

  constructor(kinds) {
    standing.add(this);
    const run = `turnpike-${process.pid}-${(labsMade += 1)}`;
    try {
      this.server = this.#host(`${run}-server`);
      this.server.ip('link', 'add', 'wire', 'type', 'bridge');
      this.server.raise('wire', ...serverAddresses.map((address) => address + publicPrefix));
      this.server.forwardsPackets();
      const homes = Object.entries(kinds).map(([name, kind], index) =>
        [name, this.#addHome(`${run}-${name}`, kind, index + 1)]);
      /// By name: the hosts at home, each with its `kind`, `box`, `address` and `publicAddress`.
      this.homes = Object.fromEntries(homes);
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  #host(name) {
    const host = new Host(name);
    this.#hosts.push(host);
    return host;
  }

  #addHome(name, kind, number) {
    const box = this.#host(`${name}-box`);
    const home = this.#host(name);
    const network = homeNetwork(kind, number);

    cable(this.server, `box${number}`, box, 'wan');
    this.server.ip('link', 'set', `box${number}`, 'master', 'wire');
    this.server.raise(`box${number}`);
    box.raise('wan', boxAddress(number) + publicPrefix);
    box.ip('route', 'add', 'default', 'via', serverAddresses[0]);

    cable(box, 'lan', home, 'up0');
    box.raise('lan', `${network}.1/24`);
    home.raise('up0', `${network}.2/24`);
    home.ip('route', 'add', 'default', 'via', `${network}.1`);
    if (isTransparent(kind)) this.server.ip('route', 'add', `${network}.0/24`, 'via', boxAddress(number));

    const address = `${network}.2`;
    const rules = rulesOf(kind, { home: address, box: boxAddress(number), secondServer: serverAddresses[1] });
    box.run('nft', ['-f', '-'], { input: rules });
    box.forwardsPackets();
    return Object.assign(home, { kind, box, address, publicAddress: isTransparent(kind) ? address : boxAddress(number) });
  }

  /// Takes everything down, also what is only half there.
  remove() {
    standing.delete(this);
    for (const host of this.#hosts.splice(0)) insistOn(() => host.remove());
  }
}

/// Builds a lab. `kinds` are the homes, each with the kind of its box (boxes.mjs).
export const makeLab = (kinds) => new Lab(kinds);

/// Why this machine cannot have labs, or false if it can.
export function labObstacle() {
  if (process.getuid() !== 0) return 'network namespaces need root';
  try {
    makeLab({ trial: 'symmetric' }).remove();
    return false;
  } catch (error) {
    return `no NAT laboratory here: ${error.stderr?.toString().trim() || error.message}`;
  }
}
