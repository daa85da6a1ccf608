import { registerHooks } from 'node:module';

/** Preload of a negative control: whoever imports the seeded random numbers gets ones of which one draw is not. */
const SEEDED = new URL('../../../src/core/random/random.ts', import.meta.url).href;
const UNSEEDED = new URL('./unseeded-random.ts', import.meta.url).href;

registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    return found.url === SEEDED && context.parentURL !== UNSEEDED ? { ...found, url: UNSEEDED } : found;
  },
});
