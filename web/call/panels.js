// The panel at the side: one of chat, people and settings, or none. Escape closes it, and the focus
// goes back to the button that opened it.

import { byId } from '../assets/ui/dom.js';
import { setText } from '../assets/ui/i18n.js';

const buttons = { chat: 'chat', people: 'open-people', settings: 'settings' };

export class Panels {
  /** @type {keyof typeof buttons | null} */
  open = null;

  /** `onShow(name)` runs when a panel has come. */
  constructor(onShow) {
    this.onShow = onShow;
    for (const [name, id] of Object.entries(buttons)) byId(id).addEventListener('click', () => this.toggle(name));
    byId('panel-close').addEventListener('click', () => this.hide());
    byId('call').addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && this.open && !event.defaultPrevented) this.hide();
    });
  }

  toggle(name) {
    if (this.open === name) this.hide();
    else this.show(name);
  }

  show(name) {
    this.open = name;
    this.#update();
    setText(byId('panel-title'), `panel.${name}`);
    this.onShow(name);
    (name === 'chat' ? byId('chat-text') : byId('panel-title')).focus();
  }

  hide() {
    const opener = this.open && byId(buttons[this.open]);
    this.open = null;
    this.#update();
    opener?.focus();
  }

  #update() {
    byId('panel').hidden = this.open === null;
    for (const [name, id] of Object.entries(buttons)) {
      byId(`${name}-panel`).hidden = this.open !== name;
      byId(id).setAttribute('aria-expanded', String(this.open === name));
    }
  }
}
