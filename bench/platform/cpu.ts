import { readdirSync, readFileSync } from 'node:fs';

/** Processor seconds by part of the platform. */
export type CpuSeconds = Readonly<Record<string, number>>;

const PARTS: readonly (readonly [name: string, mark: string])[] = [
  ['sandboxes', 'fabric/child/main.ts'],
  ['worker', 'workers/main.ts'],
  ['PostgreSQL', 'postgres'],
  ['Temporal', 'server start-dev'],
];
const TICKS_PER_SECOND = 100;

interface Row {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
  readonly seconds: number;
}

/** Processor seconds that this process and everything below it have used so far. Empty where there is no /proc. */
export function cpuSeconds(): CpuSeconds {
  const rows = processes();
  const below = new Set([process.pid]);
  // A child may be listed before its parent.
  for (let size = 0; size !== below.size;) {
    size = below.size;
    for (const { pid, parent } of rows) if (below.has(parent)) below.add(pid);
  }
  const sums: Record<string, number> = {};
  for (const { pid, command, seconds } of rows) {
    if (!below.has(pid)) continue;
    const part = PARTS.find(([, mark]) => command.includes(mark))?.[0] ?? 'gateway and benchmark';
    sums[part] = (sums[part] ?? 0) + seconds;
  }
  return sums;
}

/** What was used between two readings. */
export function cpuBetween(before: CpuSeconds, after: CpuSeconds): CpuSeconds {
  return Object.fromEntries(Object.entries(after).map(([part, value]) => [part, value - (before[part] ?? 0)]));
}

/** How the machine's processors spent their time, in seconds. */
export interface MachineTime {
  readonly total: number;
  readonly idle: number;
  /** Wanted by this machine and given to others by its host (`steal` of proc_stat(5)). */
  readonly stolen: number;
}

/** Since the machine's start; zeros where there is no /proc. */
export function machineTime(): MachineTime {
  let line: string;
  try {
    line = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]!;
  } catch {
    return { total: 0, idle: 0, stolen: 0 };
  }
  const ticks = line.trim().split(/ +/).slice(1, 9).map(Number);
  const total = ticks.reduce((sum, value) => sum + value, 0);
  const [, , , idle = 0, waiting = 0, , , stolen = 0] = ticks;
  return {
    total: total / TICKS_PER_SECOND,
    idle: (idle + waiting) / TICKS_PER_SECOND,
    stolen: stolen / TICKS_PER_SECOND,
  };
}

function processes(): Row[] {
  let names: string[];
  try {
    names = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      // The name in brackets may hold blanks: fields count from behind it (proc_pid_stat(5)).
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const parent = Number(fields[1]);
      // User and system time, its own and that of children that are gone: a connection is a child of PostgreSQL's.
      const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
      // PostgreSQL's processes rename themselves; the name of the program stays in front.
      const command = `${stat.slice(stat.indexOf('('), stat.lastIndexOf(')'))} ${readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ')}`;
      return [{ pid: Number(name), parent, command, seconds: ticks / TICKS_PER_SECOND }];
    } catch {
      return []; // it ended meanwhile
    }
  });
}
