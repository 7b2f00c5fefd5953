// The ICE servers that this server gives to a caller: joins a room for a moment, and leaves.

import { join } from '../turnpike.js';
import { readFragment } from '../assets/ui/fragment.js';
import { privateRoomName } from '../assets/ui/room_name.js';
import { signalingUrl } from '../assets/ui/signaling_url.js';
import { claimsOf } from '../assets/ui/token.js';

/** A token is good for one room only; without one, any room does that nobody else is in. */
export function roomFor({ token, room }) {
  return token ? (claimsOf(token)?.room ?? room) : privateRoomName('nat-test');
}

/** Rejects with a TurnpikeError. */
export async function fetchIceServers() {
  const given = readFragment();
  const room = await join(signalingUrl(), {
    room: roomFor(given),
    token: given.token || undefined,
    name: 'nat test',
    reconnect: false,
  });
  const { iceServers } = room;
  await room.leave();
  return iceServers;
}
