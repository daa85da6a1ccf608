/** Root hooks of mocha (`require` in .mocharc.json). Light, because every run loads it. */

const atEnd: (() => Promise<void>)[] = [];

/** Runs `stop` once all tests of this process are done, the latest first. */
export function stopAtEnd(stop: () => Promise<void>): void {
  atEnd.push(stop);
}

export const mochaHooks = {
  async afterAll(): Promise<void> {
    for (let stop = atEnd.pop(); stop !== undefined; stop = atEnd.pop()) await stop();
  },
};
