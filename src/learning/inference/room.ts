interface Place {
  readonly bytes: number;
  readonly start: () => void;
}

/** Room for so many at a time, and for so many bytes of theirs. Others wait in their order; one alone has room whatever it takes. */
export class Room {
  readonly #most: number;
  readonly #bytes: number;
  readonly #inside = new Set<Place>();
  readonly #waiting = new Set<Place>();
  #taken = 0;

  constructor(most: number, bytes: number) {
    this.#most = most;
    this.#bytes = bytes;
  }

  /** Calls `start` as soon as there is room. Returns what gives the place back, or the place in the queue. */
  take(bytes: number, start: () => void): () => void {
    const place: Place = { bytes, start };
    this.#waiting.add(place);
    this.#admit();
    return () => {
      this.#waiting.delete(place);
      if (this.#inside.delete(place)) this.#taken -= bytes;
      this.#admit();
    };
  }

  #admit(): void {
    for (const place of this.#waiting) {
      const fits = this.#inside.size < this.#most && this.#taken + place.bytes <= this.#bytes;
      if (!fits && this.#inside.size > 0) return;
      this.#waiting.delete(place);
      this.#inside.add(place);
      this.#taken += place.bytes;
      place.start();
    }
  }
}
