import { openLearning, type Learning } from '../../src/learning/learning.ts';

/** A machine without base models: where nothing is to be trained or asked but linear models. */
export const noModels = (): Learning =>
  openLearning({
    cacheDir: '/nonexistent',
    models: [],
    resolve: (sha256) => Promise.reject(new Error(`nobody has ${sha256}`)),
  });
