// Cameras, microphones, and how loud one speaks.

import { TurnpikeError } from './errors.js';

const levelIntervalMs = 50;

/** What was given, or what the browser has. Throws 'unsupported' where it has none. */
export function devicesFrom({ mediaDevices = globalThis.navigator?.mediaDevices } = {}) {
  if (!mediaDevices) throw new TurnpikeError('unsupported', 'devices need a secure context: https, or localhost');
  return mediaDevices;
}

export async function listDevices(options) {
  const all = await devicesFrom(options).enumerateDevices();
  const ofKind = (kind) => all.filter((device) => device.kind === kind);
  return {
    cameras: ofKind('videoinput'),
    microphones: ofKind('audioinput'),
    speakers: ofKind('audiooutput'),
  };
}

export function watchDevices(onChange, options) {
  const mediaDevices = devicesFrom(options);
  const tell = async () => onChange(await listDevices({ mediaDevices }));
  mediaDevices.addEventListener('devicechange', tell);
  return () => mediaDevices.removeEventListener('devicechange', tell);
}

const basics = {
  audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
  video: { width: { ideal: 1280 }, height: { ideal: 720 } },
};

/** What to ask the browser for. `device`: an id, or anything else for any device. */
function constraintsFor(kind, device) {
  const isChosen = typeof device === 'string' && device !== '';
  return { [kind]: { ...basics[kind], ...(isChosen && { deviceId: { exact: device } }) } };
}

/** Opens one device; its track. Rejects as getUserMedia does. */
export async function openTrack(kind, device, options) {
  const stream = await devicesFrom(options).getUserMedia(constraintsFor(kind, device));
  return stream.getTracks()[0];
}

/** The chosen device or, if that fails, any of its kind; a stream, or null. */
async function openLeniently(kind, device, mediaDevices) {
  for (const choice of typeof device === 'string' ? [device, true] : [true]) {
    try {
      return await mediaDevices.getUserMedia(constraintsFor(kind, choice));
    } catch {
      // The next choice, or none.
    }
  }
  return null;
}

export async function openMedia({ camera = true, microphone = true, ...options } = {}) {
  const mediaDevices = devicesFrom(options);
  const wanted = Object.entries({ audio: microphone, video: camera }).filter(([, device]) => device !== false);
  try {
    // Both at once, so that the user is asked once.
    const constraints = wanted.map(([kind, device]) => constraintsFor(kind, device));
    return await mediaDevices.getUserMedia(Object.assign({}, ...constraints));
  } catch (error) {
    const streams = [];
    for (const [kind, device] of wanted) streams.push(await openLeniently(kind, device, mediaDevices));
    const [stream, ...others] = streams.filter(Boolean);
    if (!stream) throw error;
    for (const track of others.flatMap((other) => other.getTracks())) stream.addTrack(track);
    return stream;
  }
}

/** From 0 to 1, of samples between -1 and 1. Ears hear ratios: -60 dB and below is silence. */
export function loudness(samples) {
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
  const decibels = 10 * Math.log10(power);
  return Math.min(1, Math.max(0, 1 + decibels / 60));
}

export function levelMeter(stream, onLevel) {
  if (stream.getAudioTracks().length === 0) return { level: 0, stop() {} };
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 1024;
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const meter = {
    level: 0,
    stop() {
      clearInterval(timer);
      context.close().catch(() => {}); // it was closed before
    },
  };
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    meter.level = loudness(samples);
    onLevel?.(meter.level);
  }, levelIntervalMs);
  // Where the page was not clicked yet, the context waits for this.
  context.resume().catch(() => {});
  return meter;
}
