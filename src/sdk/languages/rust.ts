import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ChimeraError } from '../../contracts/errors.ts';
import { compileError, runProgram, type Toolchain } from './toolchain.ts';

const TARGET = 'wasm32-unknown-unknown';

/** Rust by cargo, to the target that has no operating system and therefore no imports. */
export const rust: Toolchain = {
  sources: ['src', 'Cargo.toml', 'Cargo.lock', '.cargo'],
  async compile(dir, output) {
    const version = await runProgram('rustc', ['--version'], { cwd: dir });
    if (version === undefined) throw missing('Rust', 'https://rustup.rs installs it');
    const target = join(dir, 'target');
    const env = { ...process.env, CARGO_TARGET_DIR: target, CARGO_TERM_COLOR: 'never' };
    const built = await runProgram('cargo', ['build', '--release', '--quiet', '--target', TARGET], { cwd: dir, env });
    if (built === undefined) throw missing('cargo', 'https://rustup.rs installs it');
    if (/target may not be installed/.test(built.stderr)) {
      throw missing(`the Rust target ${TARGET}`, `type: rustup target add ${TARGET}`);
    }
    if (built.code !== 0) throw compileError('src', built);
    await copyFile(join(target, TARGET, 'release', 'agent.wasm'), output);
    return { compiler: version.stdout.trim(), linked: [] };
  },
};

const missing = (what: string, why: string): ChimeraError => new ChimeraError('CHIMERA_SETUP', { what, why });
