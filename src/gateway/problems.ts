import type { Problem } from '../contracts/errors.ts';

/** Problems of a long input: the first ones, and how many more there are. */
export class ProblemList {
  readonly #shown: Problem[] = [];
  readonly #cap: number;
  #count = 0;

  constructor(cap = 100) {
    this.#cap = cap;
  }

  get count(): number {
    return this.#count;
  }

  add(problem: Problem): void {
    this.#count += 1;
    if (this.#shown.length < this.#cap) this.#shown.push(problem);
  }

  list(): Problem[] {
    const more = this.#count - this.#shown.length;
    return more === 0 ? [...this.#shown] : [...this.#shown, { path: '', message: `and ${more} more problems` }];
  }
}
