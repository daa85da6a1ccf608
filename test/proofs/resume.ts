import type { Proof } from '../../bench/harness/types.ts';
import { loadConfig } from '../../src/config/config.ts';
import type { BaseLocation } from '../../src/learning/bases.ts';
import { isDownloaded, modelDirectory } from '../../src/learning/registry/cache.ts';
import { findModel, loadModels, versionOf } from '../../src/learning/registry/manifest.ts';
import type { TrainingJob } from '../../src/learning/training/job.ts';
import { writeTinyBase } from '../learning/tiny-files.ts';
import { DEMANDING, triageJob } from '../learning/training/jobs.ts';
import { differences, FORGETFUL_TRAINER, runDisturbed } from '../learning/training/resume-runs.ts';

const STEPS = 60;
const KILL_EVERY = 5;
const REAL = 'all-MiniLM-L6-v2';

export const proof: Proof = {
  name: 'resume',
  title: 'A training run killed at every 5th step ends with the bytes of one that was never stopped',

  async run({ seed, log }) {
    const spec = { ...DEMANDING, steps: STEPS, seed };
    const tiny = await writeTinyBase('encoder');
    const lines: string[] = [];
    let passed = 0;
    const tell = (name: string, problems: readonly string[]): void => {
      log(problems.length === 0 ? `ok      ${name}` : `FAILED  ${name}`);
      if (problems.length === 0) passed += 1;
      else lines.push(`${name}, seed ${seed}:`, ...problems.map((problem) => `  ${problem}`));
    };
    let tried = 0;
    const prove = async (name: string, job: TrainingJob): Promise<void> => {
      const kills = Array.from({ length: STEPS / KILL_EVERY }, (_, i) => (i + 1) * KILL_EVERY);
      const undisturbed = await runDisturbed(job);
      log(`${name}, undisturbed: adapter ${undisturbed.adapter}, checkpoint ${undisturbed.checkpoint}`);
      for (const turns of [false, true]) {
        tried += 1;
        const onDeath = (line: string): void => log(`  ${line}`);
        const killed = await runDisturbed(job, { kills, turns, onDeath });
        const how = turns ? 'two processes in turn' : 'one process after another';
        tell(`${name}, ${kills.length} kills, ${how}`, differences(undisturbed, killed, kills.length));
      }
    };
    try {
      await prove('tiny model', triageJob(tiny.base, { ...spec, learningRate: 0.003 }));

      // A trainer that forgets a state must be found out: alike where nothing is killed, different where something is.
      tried += 1;
      const job = triageJob(tiny.base, { ...spec, learningRate: 0.003 });
      const entry = FORGETFUL_TRAINER;
      const alone = await runDisturbed(job, { entry });
      const same = differences(alone, await runDisturbed(job, { entry }), 0);
      const found = differences(alone, await runDisturbed(job, { entry, kills: [KILL_EVERY] }), 1);
      tell('a trainer that forgets its draws is found out', found.length === 2 ? same : ['no difference was found']);

      const real = downloaded(REAL);
      if (real === undefined)
        lines.push(`${REAL} is not in the cache, so it was not tried: ./chimera models pull ${REAL}`);
      else await prove(REAL, triageJob(real, { ...spec, learningRate: 0.001 }));
    } finally {
      await tiny.remove();
    }
    return { passed, failed: tried - passed, lines };
  },
};

/** A real base model, where the registry's cache has it: nothing is downloaded for a proof. */
function downloaded(name: string): BaseLocation | undefined {
  const entry = findModel(loadModels(), name);
  const directory = modelDirectory(loadConfig().cacheDir, name, versionOf(entry));
  return isDownloaded(directory, entry.files) ? { name, directory, files: entry.files } : undefined;
}
