// Two that both offer: one offer has to wait for the other's answer (SIGNALING.md §1.2, "offer
// window"). The first offer of a sender and what it says after it are held for 300 ms; if the other
// side's offer comes meanwhile, or while the first is unanswered, that one is held for a second, and
// discarded when its sender answers.

const firstMs = 300;
const secondMs = 1_000;

export class OfferWindow {
  #held = new Map(); // sender: {texts, timer}
  #unanswered; // whose offer is on its way, or held as the first

  /// `forward(sender, text)` carries a text to the other side.
  constructor(forward) {
    this.forward = forward;
  }

  onText(sender, text) {
    const { type } = JSON.parse(text);
    if (type === 'offer') return this.#onOffer(sender, text);
    if (type === 'answer') {
      this.#discard(sender);
      this.#unanswered = undefined;
    } else if (type === 'candidate' && this.#held.has(sender)) {
      this.#held.get(sender).texts.push(text);
      return undefined;
    }
    return this.forward(sender, text);
  }

  /// One of the two has gone: what waits is for nobody, or by nobody.
  onGone() {
    for (const sender of [...this.#held.keys()]) this.#discard(sender);
    this.#unanswered = undefined;
  }

  #onOffer(sender, text) {
    const isSecond = this.#unanswered !== undefined && this.#unanswered !== sender;
    if (!isSecond) this.#unanswered = sender;
    const timer = setTimeout(() => this.#release(sender), isSecond ? secondMs : firstMs);
    this.#held.set(sender, { texts: [text], timer });
  }

  #release(sender) {
    const { texts } = this.#held.get(sender);
    this.#held.delete(sender);
    for (const text of texts) this.forward(sender, text);
  }

  #discard(sender) {
    clearTimeout(this.#held.get(sender)?.timer);
    this.#held.delete(sender);
  }
}
