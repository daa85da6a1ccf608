/**
 * Text that ends where one of the stop texts begins. Nothing of a stop text comes out: what may be the beginning of one is held back
 * until it is sure that it is not.
 */
export class StopTexts {
  readonly #stops: readonly string[];
  #held = '';
  #found = false;

  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop !== '');
  }

  /** Has a stop text come? Nothing comes out any more. */
  get found(): boolean {
    return this.#found;
  }

  /** Takes the next piece of text; returns what is sure to be part of the answer. */
  push(piece: string): string {
    if (this.#found) return '';
    const text = this.#held + piece;
    const places = this.#stops.map((stop) => text.indexOf(stop)).filter((place) => place >= 0);
    if (places.length > 0) {
      this.#found = true;
      this.#held = '';
      return text.slice(0, Math.min(...places));
    }
    const sure = text.length - Math.max(0, ...this.#stops.map((stop) => beginning(text, stop)));
    this.#held = text.slice(sure);
    return text.slice(0, sure);
  }

  /** No more text comes: what was held back is part of the answer. */
  end(): string {
    const rest = this.#held;
    this.#held = '';
    return rest;
  }
}

/** How long the longest end of `text` is that `stop` begins with. */
function beginning(text: string, stop: string): number {
  let length = Math.min(text.length, stop.length - 1);
  while (length > 0 && !text.endsWith(stop.slice(0, length))) length--;
  return length;
}
