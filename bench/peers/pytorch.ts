import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AdapterSpec } from '../../src/contracts/adapters.ts';
import { writePeftFiles } from '../../src/learning/adapters/peft.ts';
import type { Adapter } from '../../src/learning/adapters/types.ts';
import type { TokenExample } from '../../src/learning/training/examples.ts';
import { readSafetensors, type SafetensorsFile } from '../../src/learning/weights/safetensors.ts';
import { pythonOf, runProgram, type PythonPeer } from './python.ts';

const PYTORCH: PythonPeer = {
  name: 'pytorch',
  requirements: [
    ...['torch==2.15.0', 'peft==0.21.2', 'transformers==5.24.0', 'safetensors==0.8.0', 'numpy==2.4.6'],
    'sentence-transformers==6.2.0',
  ],
  modules: ['torch', 'peft', 'transformers', 'sentence_transformers'],
};

export const PYTORCH_SCRIPT = join(import.meta.dirname, 'pytorch.py');

/** The Python that has PyTorch, PEFT and sentence-transformers, in a scratch environment of about 6 GB outside the checkout. */
export const pythonWithTorch = (workDir: string): Promise<string> => pythonOf(workDir, PYTORCH);

/** What PyTorch is asked to train. */
export interface TorchRun {
  /** Folder from which transformers loads the base. */
  readonly hub: string;
  readonly spec: AdapterSpec;
  /** Labels of a classification, 0 without. */
  readonly labels: number;
  /** The examples of each step. */
  readonly batches: readonly (readonly TokenExample[])[];
  readonly steps: number;
  /** What training begins with. */
  readonly initial: Adapter;
  /** Adapters that are loaded and asked about the first batch, by name. */
  readonly adapters?: Readonly<Record<string, Adapter>>;
}

/** Writes a run into a folder, as the script reads it. */
export async function writeTorchRun(folder: string, run: TorchRun): Promise<void> {
  const { hub, spec, labels, batches, steps, initial, adapters = {} } = run;
  for (const [name, adapter] of Object.entries({ ...adapters, adapter: initial })) {
    await mkdir(join(folder, name), { recursive: true });
    for (const [file, bytes] of writePeftFiles(adapter)) await writeFile(join(folder, name, file), bytes);
  }
  const document = { hub, task: spec.task, spec, labels, batches, steps, adapters: Object.keys(adapters) };
  await writeFile(join(folder, 'run.json'), JSON.stringify(document));
}

export interface TorchResult {
  /** Before each step. */
  readonly losses: readonly number[];
  /** Of the first batch, by PEFT's names. */
  readonly gradient: SafetensorsFile;
  /** Of the first batch: by the adapter that was trained (`trained`), and by those that were asked for. */
  readonly logits: SafetensorsFile;
  /** PEFT's files of what was trained. */
  readonly trained: { readonly config: Uint8Array; readonly weights: Uint8Array };
}

/** Runs what {@link writeTorchRun} wrote. Throws `CHIMERA_SETUP` where there is no Python or the run fails. */
export async function runTorch(workDir: string, folder: string): Promise<TorchResult> {
  await runProgram(PYTORCH, await pythonWithTorch(workDir), ['-I', PYTORCH_SCRIPT, 'check', folder], 60);
  const read = (...path: string[]): Promise<Uint8Array> => readFile(join(folder, ...path));
  const { losses } = JSON.parse(Buffer.from(await read('result.json')).toString()) as { losses: number[] };
  return {
    losses,
    gradient: readSafetensors(await read('gradient.safetensors'), 'gradient.safetensors'),
    logits: readSafetensors(await read('logits.safetensors'), 'logits.safetensors'),
    trained: {
      config: await read('trained', 'adapter_config.json'),
      weights: await read('trained', 'adapter_model.safetensors'),
    },
  };
}
