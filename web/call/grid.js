// The stage: holds the tiles and keeps them in place when people or the window change.

import { byId } from '../assets/ui/dom.js';
import { layOut } from './layout.js';

export class Grid {
  /** @type {import('./tile.js').Tile[]} ours first */
  #tiles = [];
  #element = byId('grid');

  constructor() {
    this.#element.replaceChildren();
    this.watcher = new ResizeObserver(() => this.arrange());
    this.watcher.observe(this.#element);
  }

  add(tile) {
    this.#tiles.push(tile);
    this.#element.append(tile.element);
    this.arrange();
  }

  remove(tile) {
    this.#tiles = this.#tiles.filter((other) => other !== tile);
    tile.remove();
    this.arrange();
  }

  arrange() {
    const stage = { width: this.#element.clientWidth, height: this.#element.clientHeight };
    const spot = this.#tiles.findIndex((tile, index) => index > 0 && tile.isScreen);
    const places = layOut(stage, this.#tiles.length, spot);
    this.#tiles.forEach((tile, index) => tile.place(places[index]));
  }

  close() {
    this.watcher.disconnect();
    for (const tile of this.#tiles) tile.remove();
    this.#tiles = [];
  }
}
