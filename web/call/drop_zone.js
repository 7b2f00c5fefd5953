// Files dropped anywhere on the call.

import { byId } from '../assets/ui/dom.js';

const hasFiles = (event) => event.dataTransfer?.types.includes('Files');

export function startDropZone(onFiles, signal) {
  const zone = byId('call');
  const veil = byId('drop');
  // Entering a child fires before leaving its parent, so the two are counted.
  let depth = 0;
  const show = (change) => {
    depth = Math.max(0, change === 0 ? 0 : depth + change);
    veil.hidden = depth === 0;
  };
  const on = (name, listener) => zone.addEventListener(name, (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    listener(event);
  }, { signal });
  on('dragenter', () => show(1));
  on('dragleave', () => show(-1));
  on('dragover', (event) => (event.dataTransfer.dropEffect = 'copy'));
  on('drop', (event) => {
    show(0);
    onFiles([...event.dataTransfer.files]);
  });
}
