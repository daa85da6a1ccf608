/** A process that compares the cases it is asked for, first to last; its argument is the wasmtime library, if there is one. */
import { openWasmtime } from '../../../src/fabric/wasmtime/engine.ts';
import { compareCase, makeCase } from './compare.ts';
import { InstructionCount } from './instructions.ts';
import type { Chunk, ChunkReport } from './sweep.ts';

const [library] = process.argv.slice(2);
const other = library === undefined ? undefined : openWasmtime(library);

function compareChunk({ seed, from, count }: Chunk): ChunkReport {
  const instructions = new InstructionCount();
  const ended = new Map<string, number>();
  const differs: string[] = [];
  let runs = 0;
  for (let index = from; index < from + count; index++) {
    const one = makeCase(seed, index);
    instructions.add(one.bytes);
    try {
      const verdict = compareCase(one, other);
      runs += verdict.runs;
      ended.set(verdict.ended, (ended.get(verdict.ended) ?? 0) + 1);
      if (verdict.differs.length > 0) differs.push(`case ${index}: ${verdict.differs.join('; ')}`);
    } catch (error) {
      differs.push(`case ${index}: ${String(error)}`);
    }
  }
  return { runs, ended, differs, names: instructions.names, classes: instructions.classes };
}

process.on('message', (chunk: Chunk) => {
  // Whoever asked may be gone by now: that is no error of this process.
  process.send!(compareChunk(chunk), undefined, undefined, () => undefined);
});
process.on('disconnect', () => process.exit());
