import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Ways to call pip, in the order in which they are tried. */
const PIPS: readonly (readonly [string, ...string[]])[] = [['pip3'], ['pip'], ['python3', '-m', 'pip']];

export interface WheelRequest {
  /** `wasmtime==47.0.1` */
  readonly requirement: string;
  /** Of which machine; default: of this one. */
  readonly platform?: string;
  /** An empty folder. */
  readonly folder: string;
  readonly limitMs: number;
  readonly onLine: (line: string) => void;
  /** Default: that of this process. */
  readonly env?: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
}

/**
 * Lets pip download one wheel into a folder, from the index that it is configured with. Its hash is the caller's to check.
 * @returns path of the wheel
 * @throws {Error} that says why there is none
 */
export async function downloadWheel(request: WheelRequest): Promise<string> {
  const { requirement, platform, folder, limitMs, onLine, env, signal } = request;
  const wanted = [
    ...['download', requirement, '--no-deps', '--only-binary=:all:'],
    ...(platform === undefined ? [] : ['--platform', platform]),
    ...['--dest', folder],
  ];
  const tried: string[] = [];
  for (const [program, ...first] of PIPS) {
    const called = [program, ...first].join(' ');
    try {
      onLine(`fetching ${requirement} with ${called}`);
      await promisify(execFile)(program, [...first, ...wanted], {
        timeout: limitMs,
        ...(signal === undefined ? {} : { signal }),
        ...(env === undefined ? {} : { env }),
      });
      const [name] = readdirSync(folder);
      if (name === undefined) throw new Error('pip left no file');
      return join(folder, name);
    } catch (error) {
      const { code, stderr } = error as { code?: unknown; stderr?: string };
      const missing = code === 'ENOENT' || (stderr?.includes('No module named pip') ?? false);
      // A pip that is there and fails says what is wrong; another one would only say it again.
      if (!missing)
        throw new Error(`pip cannot download it: ${lastLine(stderr) ?? (error as Error).message}`, { cause: error });
      tried.push(called);
    }
  }
  throw new Error(`none of ${tried.join(', ')} is there; install Python with pip`);
}

const lastLine = (text: string | undefined): string | undefined => text?.trim().split('\n').at(-1) || undefined;
