// turnpike-client: rooms and calls over a Turnpike server. What is public; turnpike.d.ts tells what
// it does.

export { Call } from './client/call.js';
export { levelMeter, listDevices, openMedia, watchDevices } from './client/devices.js';
export { Emitter } from './client/emitter.js';
export { TurnpikeError } from './client/errors.js';
export { join, Room } from './client/room.js';
