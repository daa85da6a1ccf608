import { join } from 'node:path';
import { startLines, type LineProcess } from './line-process.ts';
import { pythonOf, type PythonPeer } from './python.ts';
import { pythonWithTorch } from './pytorch.ts';

/** Built from its sources for this processor, which takes some minutes once. */
const LLAMA: PythonPeer = { name: 'llama-cpp', requirements: ['llama-cpp-python==0.3.36'], modules: ['llama_cpp'] };

const SCRIPT = join(import.meta.dirname, 'inference.py');

/** What a peer took for requests of some texts each, one after another. */
export interface Embedded {
  readonly seconds: number;
  /** Seconds of a processor. */
  readonly busy: number;
  /** Of each text, where they were asked for. */
  readonly vectors: readonly (readonly number[])[];
}

/** What a peer generated, and the seconds until its first token and from there to its last. */
export interface Generated {
  readonly tokens: number;
  readonly first: number;
  readonly rest: number;
  /** Seconds of a processor, for all of it. */
  readonly busy: number;
  readonly text: string;
}

export interface EmbeddingPeer {
  embed(requests: readonly (readonly string[])[], vectors?: boolean): Promise<Embedded>;
  close(): Promise<void>;
}

export interface GenerationPeer {
  /** The likeliest token, so many times, whatever it is. */
  generate(prompt: string, tokens: number): Promise<Generated>;
  close(): Promise<void>;
}

/** sentence-transformers with the model in a folder. Throws `CHIMERA_SETUP` where it cannot be had. */
export async function startSentenceTransformers(workDir: string, folder: string): Promise<EmbeddingPeer> {
  const { ask, close } = await start('sentence-transformers', pythonWithTorch(workDir), 'embed', folder);
  return { embed: async (requests, vectors = false) => (await ask({ requests, vectors })) as Embedded, close };
}

/** llama.cpp with a GGUF file. Throws `CHIMERA_SETUP` where it cannot be had. */
export async function startLlama(workDir: string, gguf: string): Promise<GenerationPeer> {
  const { ask, close } = await start('llama.cpp', pythonOf(workDir, LLAMA), 'generate', gguf);
  return { generate: async (prompt, tokens) => (await ask({ prompt, tokens })) as Generated, close };
}

/**
 * What llama.cpp says of the token after the last one, in single precision where the file is: a logit for each of the vocabulary.
 * Throws `CHIMERA_SETUP` where it cannot be had.
 */
export async function llamaLogits(workDir: string, gguf: string, tokens: readonly number[]): Promise<number[]> {
  const { ask, close } = await start('llama.cpp', pythonOf(workDir, LLAMA), 'logits', gguf);
  try {
    return ((await ask({ tokens })) as { logits: number[] }).logits;
  } finally {
    await close();
  }
}

const start = async (what: string, python: Promise<string>, task: string, model: string): Promise<LineProcess> =>
  startLines(what, await python, ['-I', SCRIPT, task, model]);
