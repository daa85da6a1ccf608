/** A map that forgets what was not used for longest, once the weights of its entries exceed `capacity`. */
export class LruMap<K, V> {
  readonly #entries = new Map<K, { value: V; weight: number }>();
  readonly #capacity: number;
  readonly #gone: (value: V) => void;
  #weight = 0;

  /** @param gone called with every value that has to go, or is deleted or replaced */
  constructor(capacity: number, gone: (value: V) => void = () => {}) {
    this.#capacity = capacity;
    this.#gone = gone;
  }

  get(key: K): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  has(key: K): boolean {
    return this.#entries.has(key);
  }

  /** Adds or replaces, and returns the keys that had to go; never the one that was just set. */
  set(key: K, value: V, weight = 1): K[] {
    this.delete(key);
    this.#entries.set(key, { value, weight });
    this.#weight += weight;
    const gone: K[] = [];
    for (const oldest of this.#entries.keys()) {
      if (this.#weight <= this.#capacity || oldest === key) break;
      gone.push(oldest);
      this.delete(oldest);
    }
    return gone;
  }

  delete(key: K): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#weight -= entry.weight;
    this.#gone(entry.value);
  }

  /** The value of `key`, made by `make` where there is none. */
  getOrMake(key: K, make: () => V, weight = 1): V {
    const known = this.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.set(key, made, weight);
    return made;
  }
}
