// The two pickers of devices, in the lobby and in the call.

import { el } from '../assets/ui/dom.js';
import { onLanguage, t } from '../assets/ui/i18n.js';

function options(devices, chosen, kind) {
  if (devices.length === 0) return [el('option', { value: '', t: `devices.no.${kind}` })];
  return devices.map(({ deviceId, label }, index) => {
    const option = el('option', { value: deviceId }, label || t(`devices.unnamed.${kind}`, { n: index + 1 }));
    option.selected = deviceId === chosen;
    return option;
  });
}

export class DeviceChoice {
  #devices = [];
  #chosen = null;

  /** @param {HTMLSelectElement} select @param {'camera'|'microphone'} kind */
  constructor(select, kind, onChoose) {
    this.select = select;
    this.kind = kind;
    select.addEventListener('change', () => onChoose(select.value));
    onLanguage(() => this.show(this.#devices, this.#chosen));
  }

  show(devices, chosen) {
    this.#devices = devices;
    this.#chosen = chosen;
    this.select.replaceChildren(...options(devices, chosen, this.kind));
    this.select.disabled = devices.length === 0;
  }
}
