/** A minimal host of the agent ABI, on plain WebAssembly: a fresh instance a step, as the fabric does it. */
export type HostEvent =
  | { kind: 'start'; features: readonly number[]; payload?: Uint8Array }
  | { kind: 'results'; results: readonly { ok: boolean; scores: readonly number[]; body?: Uint8Array }[] };

export interface HostStep {
  state: Uint8Array;
  kind: 'done' | 'fail' | 'effects';
  text: string;
  effectKinds: number[];
  log: number;
}

interface Exports {
  memory: WebAssembly.Memory;
  cabi_realloc(old: number, oldSize: number, align: number, size: number): number;
  step(...args: (number | bigint)[]): number;
}

export const instantiate = (module: WebAssembly.Module): Exports =>
  new WebAssembly.Instance(module, {}).exports as unknown as Exports;

/** Lowers the event, calls `step` on a fresh instance, lifts the result. */
export function hostStep(module: WebAssembly.Module, state: Uint8Array, event: HostEvent, turn = 0): HostStep {
  const agent = instantiate(module);
  const view = (): DataView => new DataView(agent.memory.buffer);
  const put = (bytes: Uint8Array, align = 1): number => {
    const at = agent.cabi_realloc(0, 0, align, bytes.length);
    if (at % align !== 0) throw new Error(`cabi_realloc gave ${at} for alignment ${align}`);
    new Uint8Array(agent.memory.buffer).set(bytes, at);
    return at;
  };
  const putFloats = (values: readonly number[]): number => put(new Uint8Array(Float64Array.from(values).buffer), 8);
  const head = [put(state), state.length, turn, 7n, 0n] as const;
  let returned: number;
  if (event.kind === 'start') {
    const payload = event.payload ?? new Uint8Array(3);
    const payloadAt = put(payload);
    returned = agent.step(...head, 0, payloadAt, payload.length, putFloats(event.features), event.features.length);
  } else {
    const list = agent.cabi_realloc(0, 0, 4, 20 * event.results.length);
    event.results.forEach((result, index) => {
      const body = result.body ?? new Uint8Array(0);
      const bodyAt = put(body);
      const scoresAt = putFloats(result.scores);
      const at = list + 20 * index;
      view().setUint8(at, result.ok ? 1 : 0);
      [bodyAt, body.length, scoresAt, result.scores.length].forEach((value, k) =>
        view().setUint32(at + 4 + 4 * k, value, true),
      );
    });
    returned = agent.step(...head, 1, list, event.results.length, 0, 0);
  }
  const u32 = (at: number): number => view().getUint32(at, true);
  const bytes = (at: number): Uint8Array => new Uint8Array(agent.memory.buffer, u32(at), u32(at + 4)).slice();
  const kind = (['done', 'fail', 'effects'] as const)[view().getUint8(returned + 8)]!;
  const effects = kind === 'effects' ? u32(returned + 16) : 0;
  const at = u32(returned + 12);
  return {
    state: bytes(returned),
    kind,
    text: new TextDecoder().decode(kind === 'effects' ? bytes(at + 4) : bytes(returned + 12)),
    effectKinds: Array.from({ length: effects }, (_, k) => view().getUint8(at + 12 * k)),
    log: u32(returned + 24),
  };
}
