/**
 * Marks tasks as dispatched, many in one statement: while one is under way, the next ones gather. A mark that is lost
 * costs nothing but a second start, which finds the first.
 */
export class DispatchMarks {
  readonly #mark: (project: string, taskIds: readonly string[]) => Promise<void>;
  readonly #onError: (error: unknown) => void;
  #waiting = new Map<string, string[]>();
  #running: Promise<void> | undefined;

  constructor(
    mark: (project: string, taskIds: readonly string[]) => Promise<void>,
    onError: (error: unknown) => void = () => undefined,
  ) {
    this.#mark = mark;
    this.#onError = onError;
  }

  add(project: string, taskId: string): void {
    const ids = this.#waiting.get(project);
    if (ids === undefined) this.#waiting.set(project, [taskId]);
    else ids.push(taskId);
    this.#running ??= this.#drain();
  }

  /** Resolves when everything added so far was marked or given up. */
  async flush(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #drain(): Promise<void> {
    while (this.#waiting.size > 0) {
      const batch = this.#waiting;
      this.#waiting = new Map();
      for (const [project, ids] of batch) await this.#mark(project, ids).catch(this.#onError);
    }
    this.#running = undefined;
  }
}
