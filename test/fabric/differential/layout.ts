import { EXTERNREF, F32, F64, FUNCREF, I32, I64, V128 } from '../../../src/core/wasm/code.ts';
import { OWN } from '../agents.ts';

/**
 * `hidden`: no NaN's bits can be told, so that even an unguarded engine must give the same. `open`: they can, anywhere,
 * and only guarded engines agree.
 */
export type NanBits = 'hidden' | 'open';

export interface Signature {
  readonly params: readonly number[];
  readonly results: readonly number[];
}

/** What the functions of one random agent share. */
export interface Layout {
  readonly nans: NanBits;
  /** Of the functions here, the recursive one last; their indices begin at `OWN`. */
  readonly signatures: readonly Signature[];
  /** Are there tables, references, vector globals and passive segments? Without them an instance can be put back. */
  readonly references: boolean;
  /** Index of the first of {@link BLOCKS} among the types. */
  readonly blocks: number;
}

export const NUMBERS = [I32, I64, F32, F64, V128];
export const REFERENCES = [FUNCREF, EXTERNREF];

/** Functions of random bodies; the first ones lie in tables and call nobody, so that calls through these come to an end. */
export const FUNCTIONS = 3;
export const IN_TABLE = 2;
/** One more calls itself as often as it is told. */
export const RECURSIVE = FUNCTIONS;

const NUMBER_GLOBALS = [I32, I64, F32, F64];
/** Mutable globals by index; number 0 is the agent's allocator's. */
export const globalsOf = (references: boolean): readonly number[] => [
  ...[I32, ...NUMBER_GLOBALS],
  ...(references ? [V128, FUNCREF, EXTERNREF] : []),
];

export interface Table {
  readonly type: number;
  readonly min: number;
  readonly max: number;
}

export const TABLES: readonly Table[] = [
  { type: FUNCREF, min: 4, max: 8 },
  { type: EXTERNREF, min: 3, max: 10 },
  { type: FUNCREF, min: 2, max: 6 },
];

/** Element segments by index: their type, and their bytes (core specification 5.5.12). */
export const ELEMENTS: readonly { readonly type: number; readonly item: readonly number[] }[] = [
  // Of the encoder: active, table 0.
  { type: FUNCREF, item: [] },
  { type: FUNCREF, item: [1, 0, 3, OWN, OWN + 1, OWN] },
  { type: EXTERNREF, item: [5, EXTERNREF, 2, 0xd0, EXTERNREF, 0x0b, 0xd0, EXTERNREF, 0x0b] },
  { type: FUNCREF, item: [5, FUNCREF, 2, 0xd0, FUNCREF, 0x0b, 0xd2, OWN + 1, 0x0b] },
  { type: FUNCREF, item: [3, 0, 1, OWN] },
];

/** The data segment that is passive; those before it are active. */
export const PASSIVE = 2;

/** Types of blocks with parameters or with several results. */
export const BLOCKS: readonly Signature[] = [
  { params: [I32], results: [I32] },
  { params: [I64, F32], results: [F64, I32] },
  { params: [], results: [I32, V128] },
  { params: [V128, I64], results: [I64, V128] },
  { params: [F64], results: [] },
  { params: [FUNCREF, I32], results: [I32, FUNCREF, EXTERNREF] },
];
/** How many of them need no references. */
export const PLAIN_BLOCKS = 5;
