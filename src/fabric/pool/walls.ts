import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One wall around the sandbox processes, and whether this machine has it. For `chimera doctor`. */
export interface SandboxFact {
  readonly name: string;
  readonly active: boolean;
  readonly detail: string;
}

/** How a sandbox process is started on this machine. */
export interface Walls {
  /**
   * Program and arguments that come before the child's entry file.
   * @param library a native library that the process loads: it may read that, and load native code
   */
  command(library?: string): readonly [string, ...string[]];
  readonly facts: readonly SandboxFact[];
}

const MEBIBYTE = 1024;
/** KiB of writable private memory: RLIMIT_DATA. The address space itself cannot be limited, V8 reserves terabytes. */
const DATA_KIB = 2048 * MEBIBYTE;
/** Seconds of processor time in the life of one process; the pool replaces it well before. */
export const CPU_LIMIT_SECONDS = 3600;
const OPEN_FILES = 256;

/** KiB of native stack, and how much of it V8 may use: the guard's depth limit ends a recursion well before. */
const STACK_KIB = 8192;
const STACK_FLAG = '--stack-size=3900';
/**
 * A batch makes tens of megabytes of short-lived texts: in a larger young generation fewer of them are copied. There are as many
 * sandboxes as processors, so that threads of a collector would only take each other's.
 */
const HEAP_FLAGS = ['--max-old-space-size=768', '--max-semi-space-size=32', '--no-parallel-scavenge'];

function works(command: readonly string[]): boolean {
  const [program, ...rest] = command;
  const { status } = spawnSync(program!, rest, { env: {}, stdio: 'ignore', timeout: 20_000 });
  return status === 0;
}

/** The nearest folder above that has a package.json: what a sandbox process may read. */
function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json')) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}

function limitScript(): { script: string; facts: SandboxFact[] } {
  const wanted: readonly (readonly [name: string, flag: string, value: number, detail: string])[] = [
    ['no core dumps', '-c', 0, 'ulimit -c 0'],
    ['data segment', '-d', DATA_KIB, `at most ${DATA_KIB / MEBIBYTE} MiB of writable memory`],
    ['processor time', '-t', CPU_LIMIT_SECONDS, `at most ${CPU_LIMIT_SECONDS} s in a process's life`],
    ['native stack', '-s', STACK_KIB, `${STACK_KIB / MEBIBYTE} MiB`],
    ['open files', '-n', OPEN_FILES, `at most ${OPEN_FILES}`],
  ];
  const facts = wanted.map(([name, flag, value, detail]) => {
    const active = works(['/bin/sh', '-c', `ulimit ${flag} ${value}`]);
    return { flag, value, fact: { name, active, detail: active ? detail : 'this system refuses the limit' } };
  });
  const limits = facts.filter(({ fact }) => fact.active).map(({ flag, value }) => `ulimit ${flag} ${value}`);
  return { script: [...limits, 'exec "$@"'].join(' && '), facts: facts.map(({ fact }) => fact) };
}

function firstThatWorks(prefix: readonly string[], candidates: readonly (readonly string[])[]): readonly string[] {
  return candidates.find((candidate) => works([...prefix, ...candidate, '/bin/true'])) ?? [];
}

let built: Walls | undefined;

/** Finds out once, by trying, which walls this machine can put around a process. */
export function sandboxWalls(): Walls {
  built ??= buildWalls();
  return built;
}

function buildWalls(): Walls {
  const posix = existsSync('/bin/sh');
  const { script, facts } = posix ? limitScript() : { script: '', facts: [] };
  const shell = posix ? ['/bin/sh', '-c', script, 'sandbox'] : [];
  const network = firstThatWorks(shell, [
    ['unshare', '--net'],
    ['unshare', '--map-root-user', '--net'],
  ]);
  const privileges = firstThatWorks([...shell, ...network], [['setpriv', '--no-new-privs']]);
  const prefix = [...shell, ...network, ...privileges];
  const permission = ['--permission', `--allow-fs-read=${join(projectRoot(), '*')}`];
  const permitted = works([...prefix, process.execPath, ...permission, '--eval', '0']);
  const stack = facts.some(({ name, active }) => name === 'native stack' && active) ? [STACK_FLAG] : [];
  const flags = [...stack, ...HEAP_FLAGS, '--no-warnings', ...(permitted ? permission : [])];
  const fact = (name: string, active: boolean, yes: string, no: string): SandboxFact => ({
    name,
    active,
    detail: active ? yes : no,
  });
  return {
    command(library) {
      const native = library === undefined || !permitted ? [] : ['--allow-addons', `--allow-fs-read=${library}`];
      return [...prefix, process.execPath, ...flags, ...native] as unknown as [string, ...string[]];
    },
    facts: [
      fact('empty environment', true, 'no variable of the parent is passed on', ''),
      ...facts,
      fact('no network', network.length > 0, 'own network namespace', 'network namespaces are not permitted here'),
      fact('no new privileges', privileges.length > 0, 'setpriv --no-new-privs', 'setpriv is not available'),
      fact(
        'file access',
        permitted,
        'reads the program only, writes nothing, starts no process, thread or native addon (but wasmtime, for its agents)',
        'this Node has no permission model',
      ),
    ],
  };
}
