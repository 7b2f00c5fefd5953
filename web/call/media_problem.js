// Why there is no camera or microphone, and what to do.

/** @returns {string} the stem of two strings: what it is, and `….do` */
export function mediaProblem(error) {
  if (!navigator.mediaDevices) return 'media.insecure';
  if (error?.name === 'NotAllowedError' || error?.name === 'SecurityError') return 'media.blocked';
  if (error?.name === 'NotReadableError' || error?.name === 'AbortError') return 'media.busy';
  return 'media.none';
}

/** What a stream lacks: null, or the stem as above. */
export function missingIn(stream) {
  if (stream.getVideoTracks().length === 0) return 'media.noCamera';
  if (stream.getAudioTracks().length === 0) return 'media.noMicrophone';
  return null;
}
