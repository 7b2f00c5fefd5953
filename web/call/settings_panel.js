// Settings in the call: devices, the relay switch, and what only owners may.

import { listDevices, watchDevices } from '../turnpike.js';
import { byId } from '../assets/ui/dom.js';
import { setText } from '../assets/ui/i18n.js';
import { announce, warn } from './announce.js';
import { DeviceChoice } from './device_choice.js';
import { mediaProblem } from './media_problem.js';

// The pickers outlive a call, which they find here.
let current = null;

const choose = (method) => async (id) => {
  try {
    await current[method](id);
  } catch (error) {
    warn(mediaProblem(error));
  }
};
const cameras = new DeviceChoice(byId('call-camera-choice'), 'camera', choose('switchCamera'));
const microphones = new DeviceChoice(byId('call-microphone-choice'), 'microphone', choose('switchMicrophone'));

async function showDevices() {
  if (!navigator.mediaDevices) return;
  const devices = await listDevices();
  if (!current) return;
  cameras.show(devices.cameras, current.local.cameraId);
  microphones.show(devices.microphones, current.local.microphoneId);
}

function startRelaySwitch(call, relayOnly, signal) {
  const box = byId('call-relay');
  const isDemanded = call.room.iceTransportPolicy === 'relay';
  box.checked = relayOnly || isDemanded;
  box.disabled = isDemanded;
  setText(byId('call-relay-hint'), isDemanded ? 'relay.demanded' : 'relay.force.hint');
  box.addEventListener('change', () => {
    call.setIceTransportPolicy(box.checked ? 'relay' : 'all');
    announce(box.checked ? 'relay.on' : 'relay.off');
  }, { signal });
}

function startOwnerPart(room, onLocked, signal) {
  byId('owner').hidden = room.self.role !== 'owner';
  const lock = byId('lock');
  lock.checked = room.locked;
  onLocked(room.locked);
  lock.addEventListener('change', async () => {
    try {
      await room.lock(lock.checked);
      announce(lock.checked ? 'owner.locked' : 'owner.unlocked', {}, 'lock');
    } catch (error) {
      warn('owner.failed', { code: error.code });
    }
    lock.checked = room.locked;
    onLocked(room.locked);
  }, { signal });
  const dialog = byId('end-dialog');
  byId('end').addEventListener('click', () => {
    dialog.returnValue = 'no';
    dialog.showModal();
  }, { signal });
  dialog.addEventListener('close', async () => {
    if (dialog.returnValue !== 'yes') return;
    try {
      await room.end();
    } catch (error) {
      warn('owner.failed', { code: error.code });
    }
  }, { signal });
}

/** Starts the panel for one call. `onLocked(isLocked)` shows it elsewhere. */
export function startSettings(call, { relayOnly, onLocked }, signal) {
  current = call;
  startRelaySwitch(call, relayOnly, signal);
  startOwnerPart(call.room, onLocked, signal);
  const stop = navigator.mediaDevices ? watchDevices(showDevices) : () => {};
  call.on('local', showDevices);
  signal.addEventListener('abort', () => {
    stop();
    current = null;
  });
  showDevices();
}
