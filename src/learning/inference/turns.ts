/** Work that is done a step at a time. */
export interface Job {
  /** Takes a step; false: there is nothing more to do. Must not throw. */
  step(): Promise<boolean>;
}

/** Jobs in turn, one step at a time: a long one holds up nobody for longer than one of its steps. */
export class Turns {
  readonly #jobs: Job[] = [];
  #running: Promise<void> | undefined;

  /** Adds a job, unless it is there. */
  add(job: Job): void {
    if (this.#jobs.includes(job)) return;
    this.#jobs.push(job);
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    // Whatever is handed in at the same moment is there before the first step.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#jobs.length > 0) {
      const job = this.#jobs.shift()!;
      // It may have been added again while it was at its step.
      if ((await job.step()) && !this.#jobs.includes(job)) this.#jobs.push(job);
    }
    this.#running = undefined;
  }

  /** Settles when nothing is left to do. */
  async idle(): Promise<void> {
    await this.#running;
  }
}
