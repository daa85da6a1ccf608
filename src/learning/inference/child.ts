import { decodeAdapter } from '../adapters/file.ts';
import type { Precision } from '../architecture/base.ts';
import { openLocalBase, otherPrecision, ownPrecision } from '../bases.ts';
import type { BaseLocation, LocalBase, WhichBase } from '../bases.ts';
import { openEngine } from './engine.ts';
import { answerCalls } from '../process/calls.ts';
import type { InferenceCalls, Lookups } from './protocol.ts';
import type { InferenceService } from './types.ts';

/* The program of the process that runs models. */

let engine: InferenceService;

const ask = answerCalls<InferenceCalls, Lookups>(
  {
    open(settings) {
      engine = openEngine({ ...settings, openBase, loadAdapter });
      return Promise.resolve();
    },
    embed: (request, { signal }) => engine.embed({ ...request, signal }),
    classify: (request, { signal }) => engine.classify({ ...request, signal }),
    generate: (request, { signal, emit }) => engine.generate({ ...request, signal, onText: emit }),
  },
  { together: true },
);

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
async function openBase(name: string, which: WhichBase): Promise<LocalBase> {
  const { weights } = which;
  const location = await ask('base', { name, ...which });
  const own = ownPrecision(location);
  const local = await open(location, own);
  if (weights === undefined || local.base.sha256 === weights) return local;
  const other = await open(location, otherPrecision(own));
  return other.base.sha256 === weights ? other : local;
}

const loadAdapter = async (sha256: string) => decodeAdapter(await ask('adapter', sha256));
