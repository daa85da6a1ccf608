import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadMailTriage } from '../../examples/mail-triage/data.ts';
import { mailTriage } from '../../examples/mail-triage/task-type.ts';
import { loadConfig } from '../../src/config/config.ts';
import { createPreprocessor } from '../../src/core/validation/preprocess/pipeline.ts';
import type { BaseLocation } from '../../src/learning/bases.ts';
import { startInference, type InferenceOptions, type RunningInference } from '../../src/learning/inference/host.ts';
import { findModel, loadModels } from '../../src/learning/registry/manifest.ts';
import { fetchModel } from '../../src/learning/registry/sources.ts';
import type { Tokenizer } from '../../src/learning/tokenizer/types.ts';
import type { BaseName } from './bases.ts';

/** What the parts of the benchmark are given. */
export interface Given {
  readonly encoder: BaseLocation;
  readonly decoder: BaseLocation;
  /** Real mails, each once, as agents read them. */
  readonly mails: readonly string[];
  /** Of the encoder. */
  readonly tokenizer: Tokenizer;
  readonly rounds: number;
  log(line: string): void;
}

/** @throws `CHIMERA_MODEL_UNAVAILABLE` that says of each source why it failed */
export async function locateBase(name: BaseName, log: (line: string) => void): Promise<BaseLocation> {
  const entry = findModel(loadModels(), name);
  const { directory } = await fetchModel(entry, { cacheDir: loadConfig().cacheDir, onLine: log });
  return { name, directory, files: entry.files };
}

export interface ServiceOptions extends Pick<InferenceOptions, 'activations'> {
  /** Bytes of adapters by their SHA-256. */
  readonly adapters?: ReadonlyMap<string, Uint8Array>;
}

/** Where the weights of a base lie. */
export const weightsFile = ({ directory, files }: BaseLocation): string => join(directory, files[0]!.name);

/** The service as the platform starts it, with one thread and no answers kept: each request is a run. */
export const startService = (
  bases: readonly BaseLocation[],
  { adapters = new Map<string, Uint8Array>(), ...settings }: ServiceOptions = {},
): RunningInference =>
  startInference({
    locate: (name) => Promise.resolve(bases.find((base) => base.name === name)!),
    loadAdapter: (sha256) => Promise.resolve(adapters.get(sha256)!),
    ...{ ...settings, cacheBytes: 0 },
  });

/** Seconds of a processor that a service has used so far, and whoever asks it (proc_pid_stat(5), in hundredths). */
export function busySeconds({ pid }: RunningInference): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number) as [number, number];
  const own = process.cpuUsage();
  return (user + system) / 100 + (own.user + own.system) / 1e6;
}

export async function loadMails(seed: string, count: number): Promise<string[]> {
  const read = createPreprocessor(mailTriage.preprocess, []);
  const mails = await loadMailTriage({ seed, limit: count });
  return Promise.all(mails.map(async ({ raw }) => String((await read({ raw })).payload['text'])));
}

/** The beginnings of mails, as many words of each as make at most so many tokens; mails that are much shorter are left out. */
export function textsOf({ mails, tokenizer }: Given, tokens: number, count: number): string[] {
  const size = (text: string): number => tokenizer.encode(text, { wrap: true }).length;
  return mails
    .map((mail) => {
      const words = mail.slice(0, 12 * tokens).split(/\s+/);
      let [fits, most] = [0, words.length];
      while (fits < most) {
        const middle = Math.ceil((fits + most) / 2);
        if (size(words.slice(0, middle).join(' ')) <= tokens) fits = middle;
        else most = middle - 1;
      }
      return words.slice(0, fits).join(' ');
    })
    .filter((text) => size(text) > 0.9 * tokens)
    .slice(0, count);
}
