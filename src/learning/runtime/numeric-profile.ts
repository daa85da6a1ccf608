import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { env } from 'onnxruntime-node';
import type { DeviceRuntime } from './provider.ts';

/** What a machine says about itself, as far as it changes the last bits of sums. */
export interface MachineFacts {
  readonly architecture: string;
  /** The processor's name. */
  readonly processor: string;
  /** The text of Linux's /proc/cpuinfo; empty elsewhere. */
  readonly cpuInfo: string;
  /** Names of graphics cards, where their driver says them. */
  readonly cards: readonly string[];
}

/**
 * What decides the last bits of a result: version of the runtime, processor and its vector instructions, device and threads. On the
 * processor results are equal, byte for byte, where this is equal; a training run never mixes two.
 */
export function numericProfile(
  { provider = 'cpu', threads = 1 }: Partial<DeviceRuntime> = {},
  { architecture, processor, cpuInfo, cards }: MachineFacts = machineFacts(),
): string {
  const device = provider === 'cpu' || cards.length === 0 ? provider : `${provider} ${cards.join(' + ')}`;
  const name = `${architecture} ${processor.replaceAll(/\s+/g, ' ').trim()}`;
  return `onnxruntime ${env.versions.node ?? 'unknown'}; ${name} ${instructionSet(cpuInfo)}; ${device}; ${threads} threads`;
}

/** Flags of /proc/cpuinfo by which the runtime chooses its kernels (MLAS): vectors, fused multiplication, dot products, tiles. */
const VECTORS = /^(sse[34]|ssse3|avx|fma|f16c|amx|asimd|fphp|sve|sme|i8mm|bf16)/;

/** A short name of a processor's vector instructions: virtual machines give the same processor different ones. */
function instructionSet(cpuInfo: string): string {
  const flags = /^(?:flags|Features)\s*:(.*)$/m.exec(cpuInfo)?.[1]?.trim().split(/\s+/) ?? [];
  const relevant = [...new Set(flags.filter((flag) => VECTORS.test(flag)))].sort();
  return relevant.length === 0 ? 'unknown' : createHash('sha256').update(relevant.join(' ')).digest('hex').slice(0, 8);
}

function machineFacts(): MachineFacts {
  return {
    architecture: process.arch,
    processor: cpus()[0]?.model ?? 'unknown',
    cpuInfo: textOf('/proc/cpuinfo'),
    cards: nvidiaCards(),
  };
}

/** As NVIDIA's driver tells them on Linux. */
function nvidiaCards(): string[] {
  const root = '/proc/driver/nvidia/gpus';
  let folders: string[];
  try {
    folders = readdirSync(root).sort();
  } catch {
    return [];
  }
  const model = (text: string): string => /^Model:\s*(.*)$/m.exec(text)?.[1] ?? 'unknown';
  return [...new Set(folders.map((folder) => model(textOf(join(root, folder, 'information')))))];
}

/** Empty where there is no such file. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
