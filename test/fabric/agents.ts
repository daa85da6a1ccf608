import { Code, I32, I64 } from '../../src/core/wasm/code.ts';
import { encodeModule } from '../../src/core/wasm/encoder.ts';
import type { DataSpec, FunctionSpec, GlobalSpec, LimitsSpec, ModuleSpec } from '../../src/core/wasm/encoder.ts';

/** Parameters of `step`, in order. */
export const STEP_PARAMS = [I32, I32, I32, I64, I64, I32, I32, I32, I32, I32];
/** Index of each parameter of `step`; further locals start at 10. */
export const P = { state: 0, stateLength: 1, turn: 2, seed: 3, time: 4, body: 5, a: 6, aLength: 7, b: 8, bLength: 9 };

/** Function indices in every test agent. */
export const STEP = 0;
export const REALLOC = 1;
/** First index of an agent's own functions. */
export const OWN = 2;

export interface AgentSpec {
  /** Body of `step`; it leaves the pointer of the result. */
  readonly step: Code;
  readonly locals?: readonly number[];
  readonly functions?: readonly FunctionSpec[];
  readonly realloc?: Code;
  readonly memory?: LimitsSpec;
  readonly globals?: readonly GlobalSpec[];
  readonly table?: ModuleSpec['table'];
  readonly data?: readonly DataSpec[];
}

/** A bump allocator from 4096 on: global 0 is the next free byte. Grows memory when it must, traps when it cannot. */
export const bump = (): Code =>
  new Code()
    .globalGet(0)
    .get(2)
    .op('i32_add')
    .i32(1)
    .op('i32_sub')
    .i32(0)
    .get(2)
    .op('i32_sub', 'i32_and')
    .set(4)
    .get(4)
    .get(3)
    .op('i32_add')
    .globalSet(0)
    .block()
    .globalGet(0)
    .memorySize()
    .i32(65536)
    .op('i32_mul', 'i32_le_u')
    .brIf(0)
    .globalGet(0)
    .memorySize()
    .i32(65536)
    .op('i32_mul', 'i32_sub')
    .i32(65535)
    .op('i32_add')
    .i32(16)
    .op('i32_shr_u')
    .memoryGrow()
    .i32(-1)
    .op('i32_ne')
    .brIf(0)
    .op('unreachable')
    .end()
    .get(4);

/** A module of the agent world around `step`. */
export function agentModule(spec: AgentSpec): Uint8Array<ArrayBuffer> {
  return encodeModule({
    functions: [
      {
        params: STEP_PARAMS,
        results: [I32],
        locals: spec.locals ?? [I32, I32, I32, I32],
        code: spec.step,
        export: 'step',
      },
      {
        params: [I32, I32, I32, I32],
        results: [I32],
        locals: [I32],
        code: spec.realloc ?? bump(),
        export: 'cabi_realloc',
      },
      ...(spec.functions ?? []),
    ],
    memory: { min: 1, export: 'memory', ...spec.memory },
    globals: [{ type: I32, mutable: true, init: new Code().i32(4096) }, ...(spec.globals ?? [])],
    ...(spec.table === undefined ? {} : { table: spec.table }),
    data: spec.data ?? [],
  });
}

/** `memory[at] = value` for constants. */
export const put = (code: Code, at: number, value: number): Code => code.i32(at).i32(value).memory('i32_store');

const RESULT = 64;

/** Leaves a result at 64: state (local or constant), an outcome of `discriminant` with (pointer, length), no log. */
export function result(code: Code, discriminant: number, pointer: number, length: number): Code {
  for (let at = RESULT; at < RESULT + 28; at += 4) put(code, at, 0);
  put(code, RESULT + 8, discriminant);
  put(code, RESULT + 12, pointer);
  put(code, RESULT + 16, length);
  return code.i32(RESULT);
}

const ascii = (text: string): number[] => [...text].map((c) => c.charCodeAt(0));
export const text = (offset: number, content: string): DataSpec => ({ offset, bytes: ascii(content) });

/** Says `output` at once. */
export const answering = (output: string): Uint8Array<ArrayBuffer> =>
  agentModule({ step: result(new Code(), 0, 1024, output.length), data: [text(1024, output)] });

/** Answers with its own payload: output = payload. */
export const echo = (): Uint8Array<ArrayBuffer> => {
  const step = result(new Code(), 0, 0, 0).op('drop');
  step.i32(76).get(P.a).memory('i32_store').i32(80).get(P.aLength).memory('i32_store').i32(64);
  return agentModule({ step });
};

/** Asks for effects of `kind` with `request` in turn 0 and answers with the body of the first result in turn 1. */
export const asking = (kind: number, request: string, count = 1): Uint8Array<ArrayBuffer> => {
  const step = new Code().get(P.turn).op('i32_eqz').if();
  for (let i = 0; i < count; i++) {
    put(step, 128 + 12 * i, kind);
    put(step, 132 + 12 * i, 2048);
    put(step, 136 + 12 * i, request.length);
  }
  result(step, 2, 128, count).op('return').end();
  result(step, 0, 0, 0).op('drop');
  step.i32(76).get(P.a).memory('i32_load', 4).memory('i32_store');
  step.i32(80).get(P.a).memory('i32_load', 8).memory('i32_store').i32(64);
  return agentModule({ step, data: [text(2048, request)] });
};
