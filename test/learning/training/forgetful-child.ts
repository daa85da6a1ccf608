/** The training process, but its dropout is drawn by how many draws this process has made: a state that no checkpoint holds. */
import { registerHooks } from 'node:module';

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    if (!url.endsWith('/learning/training/batches.ts')) return loaded;
    const source = new TextDecoder().decode(loaded.source as Uint8Array);
    const changed = source
      .replace('philoxBytes(spec.seed, draw,', 'philoxBytes(spec.seed, draws++,')
      .concat('\nlet draws = 0;\n');
    if (!changed.includes('draws++')) throw new Error('dropout is drawn elsewhere now');
    return { ...loaded, source: changed };
  },
});

await import('../../../src/learning/training/child.ts');
