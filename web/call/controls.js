// The buttons below the stage that change what we send.

import { byId, setIcon } from '../assets/ui/dom.js';
import { setLabel } from '../assets/ui/i18n.js';
import { announce, warn } from './announce.js';
import { mediaProblem } from './media_problem.js';

const canShare = () => Boolean(navigator.mediaDevices?.getDisplayMedia);

function showButton(id, isOn, picture) {
  const button = byId(id);
  button.setAttribute('aria-pressed', String(isOn));
  setIcon(button, picture);
  setLabel(button, `control.${id}`);
}

/** Shows what is on, as the call says it. */
export function showControls({ mic, cam, screen }) {
  showButton('mic', mic, mic ? 'mic' : 'mic-off');
  showButton('camera', cam, cam ? 'camera' : 'camera-off');
  showButton('screen', screen, 'screen');
  byId('screen').hidden = !canShare();
}

/**
 * What the buttons do in one call.
 * @param {import('../turnpike.js').Call} call
 * @param {AbortSignal} signal ends it
 */
export function startControls(call, signal) {
  const attempt = (work) => async () => {
    try {
      await work();
    } catch (error) {
      if (!signal.aborted) warn(mediaProblem(error));
    }
  };
  const hasTrack = (kind) => call.local.stream.getTracks().some((track) => track.kind === kind);
  const toggleMic = attempt(async () => {
    if (call.local.mic) call.setMic(false);
    else if (hasTrack('audio')) call.setMic(true);
    else await call.switchMicrophone();
  });
  const toggleCamera = attempt(async () => {
    if (call.local.cam) call.setCam(false);
    else if (hasTrack('video')) call.setCam(true);
    else await call.switchCamera();
  });
  const toggleScreen = async () => {
    if (call.local.screen) return call.stopScreen();
    try {
      await call.shareScreen();
      announce('screen.started', {}, 'screen');
    } catch (error) {
      if (!signal.aborted) announce(error.name === 'NotAllowedError' ? 'screen.declined' : 'screen.failed', {}, 'screen');
    }
  };
  byId('mic').addEventListener('click', toggleMic, { signal });
  byId('camera').addEventListener('click', toggleCamera, { signal });
  byId('screen').addEventListener('click', toggleScreen, { signal });
}
