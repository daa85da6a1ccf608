import { decodeAdapter } from '../adapters/file.ts';
import type { Precision } from '../architecture/base.ts';
import { openLocalBase, type BaseLocation, type LocalBase } from '../bases.ts';
import { openEngine } from './engine.ts';
import { fromPlain, toPlain, type Findings, type FromChild, type InferenceCalls, type ToChild } from './protocol.ts';
import type { InferenceService } from './types.ts';

/* The program of the process that runs models. It ends when the one that started it is gone. */

process.on('disconnect', () => process.exit(0));

// Whoever listens no longer is gone, and so is this process soon.
const post = (message: FromChild): void => void process.send!(message, () => {});

const asked = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
let questions = 0;

function find<W extends keyof Findings>(what: W, name: string): Promise<Findings[W]> {
  const id = questions++;
  return new Promise((resolve, reject) => {
    asked.set(id, { resolve, reject });
    post({ type: 'find', id, what, name });
  });
}

const opened = new Map<string, Promise<LocalBase>>();

/** Each base is opened once in each precision. */
function open(location: BaseLocation, precision: Precision): Promise<LocalBase> {
  const key = JSON.stringify([location.directory, precision]);
  const known = opened.get(key) ?? openLocalBase(location, precision);
  opened.set(key, known);
  known.catch(() => opened.delete(key));
  return known;
}

/** A base in the precision that its file has; in the other one where an adapter was trained beside that. */
async function openBase(name: string, weights?: string): Promise<LocalBase> {
  const location = await find('base', name);
  const own = location.files[0]!.name.endsWith('.gguf') ? '4bit' : 'fp32';
  const local = await open(location, own);
  if (weights === undefined || local.base.sha256 === weights) return local;
  const other = await open(location, own === '4bit' ? 'fp32' : '4bit');
  return other.base.sha256 === weights ? other : local;
}

const loadAdapter = async (sha256: string) => decodeAdapter(await find('adapter', sha256));

let engine: InferenceService;
const calls = new Map<number, AbortController>();

async function answer({ id, name, request }: Extract<ToChild, { type: 'call' }>): Promise<void> {
  const controller = new AbortController();
  calls.set(id, controller);
  try {
    const handler = engine[name] as (given: object) => Promise<InferenceCalls[typeof name]['answer']>;
    const onText = (text: string): void => post({ type: 'text', id, text });
    post({ type: 'answer', id, answer: await handler({ ...request, signal: controller.signal, onText }) });
  } catch (error) {
    post({ type: 'failed', id, error: toPlain(error) });
  } finally {
    calls.delete(id);
  }
}

process.on('message', (message: ToChild) => {
  switch (message.type) {
    case 'open':
      engine = openEngine({ ...message.settings, openBase, loadAdapter });
      return;
    case 'call':
      void answer(message);
      return;
    case 'cancel':
      calls.get(message.id)?.abort();
      return;
    case 'found':
      asked.get(message.id)?.resolve(message.value as never);
      asked.delete(message.id);
      return;
    case 'lost':
      asked.get(message.id)?.reject(fromPlain(message.error));
      asked.delete(message.id);
  }
});
