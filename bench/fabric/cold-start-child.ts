/** A sandbox process that runs agents by itself and says how long each took: what a pool and its messages cost is not in it. */
import { ChimeraError } from '../../src/contracts/errors.ts';
import { createPreprocessor } from '../../src/core/validation/preprocess/pipeline.ts';
import { compileJsonSchema } from '../../src/core/validation/schema.ts';
import { newWorkplace, runBatch } from '../../src/fabric/child/batches.ts';
import { chooseCompiler } from '../../src/fabric/child/compile.ts';
import { Library } from '../../src/fabric/child/library.ts';
import type { AgentRef } from '../../src/fabric/index.ts';
import { useNativeSha256 } from '../../src/fabric/native-sha256.ts';
import { TASK_TYPE, items } from './agents.ts';

export interface ColdStarts {
  readonly agents: readonly AgentRef[];
  readonly modules: readonly Uint8Array[];
  /** How often every agent takes its turn before it counts, and while it does. */
  readonly warmups: number;
  readonly rounds: number;
}

useNativeSha256();
const library = new Library(
  {
    preparation: ({ preprocess, features }) => createPreprocessor(preprocess, features),
    validator: (schema) => compileJsonSchema(schema, 'the output schema'),
    model: () => {
      throw new ChimeraError('CHIMERA_INTERNAL', { why: 'agents of this benchmark ask no model' });
    },
  },
  await chooseCompiler(process.argv),
);
const workplace = newWorkplace(library);
const [ITEM] = items(1);

process.once('message', ({ agents, modules, warmups, rounds }: ColdStarts) => {
  library.add(agents.map(({ sha256 }, i) => ({ sha256, bytes: modules[i]! })));
  const run = async (): Promise<void> => {
    const times: number[] = [];
    for (let round = -warmups; round < rounds; round++) {
      for (const agent of agents) {
        const begun = performance.now();
        await runBatch(workplace, { agent, taskType: TASK_TYPE, items: [ITEM!] });
        if (round >= 0) times.push(performance.now() - begun);
      }
    }
    process.send!(times);
  };
  void run();
});
