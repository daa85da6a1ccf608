import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { benchDirectory, writeHubFolder } from '../../../bench/learning/bases.ts';
import { batchesOf, train } from '../../../bench/learning/ours.ts';
import { gradientOf } from '../../../bench/learning/parity.ts';
import { runTorch, writeTorchRun } from '../../../bench/peers/pytorch.ts';
import { tinyWeights } from '../tiny.ts';
import { PARITY_CASES, thinned, type Recorded } from './cases.ts';

/*
 * Writes pytorch.json: what PyTorch and PEFT compute of the tiny models. By hand, where the cases or the models change:
 *   npx node test/learning/parity/make.ts
 */

const recorded: Record<string, Recorded> = {};
for (const [name, build] of Object.entries(PARITY_CASES)) {
  const its = build();
  const { spec, data, config, initial } = its;
  const folder = await mkdtemp(join(tmpdir(), 'chimera-fixture-'));
  const hub = join(folder, 'hub');
  await writeHubFolder(hub, { weights: tinyWeights(config), config });
  const { adapter } = await train(its, initial, console.error);
  await writeTorchRun(folder, {
    ...{ hub, spec, labels: data.labels.length, batches: batchesOf(its), steps: spec.steps, initial },
    adapters: { ours: adapter },
  });
  const torch = await runTorch(benchDirectory(), folder);
  const gradient = gradientOf(torch, its, initial);
  const outputs = torch.logits.f32('trained');
  recorded[name] = {
    losses: torch.losses,
    length: Math.hypot(...gradient),
    entries: thinned(gradient),
    outputs: data.labels.length > 0 ? [...outputs] : thinned(outputs),
  };
  await rm(folder, { recursive: true, force: true });
}
await writeFile(join(import.meta.dirname, 'pytorch.json'), `${JSON.stringify(recorded)}\n`);
