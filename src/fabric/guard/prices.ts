/**
 * The price table: what each instruction costs in fuel. Fuel is part of every execution record, so any change here is a
 * new `PRICE_VERSION`, and figures of two versions are never compared.
 */
export const PRICE_VERSION = 1;

export const PRICES = {
  /** Labels, `nop`, `drop`: they compile to nothing. */
  free: 0,
  /** Integer and float arithmetic, comparisons, constants, locals, globals, branches. */
  simple: 1,
  /** Loads and stores. */
  access: 2,
  /** Division, remainder, square root. */
  divide: 8,
  /** `br_table`. */
  table: 3,
  /** Direct call: the frame, its counters. */
  call: 5,
  callIndirect: 8,
  /** Any vector instruction. */
  vector: 2,
  /** `memory.grow`, `table.grow` and bulk operations, before their size counts. */
  bulk: 16,
  /** Bytes or elements that one unit of fuel moves, as a power of two: 8. */
  bulkShift: 3,
  /** One page of memory, grown or declared. */
  page: 1024,
  /** One element of a table, grown, declared or filled at instantiation. */
  element: 2,
  /** Entering a function. */
  entry: 2,
  /** Locals zeroed by one unit of fuel, as a power of two: 8. */
  localsShift: 3,
  /** A fresh instance. */
  instance: 200,
} as const;

/** Operand slots (locals and stack) that count as one call deep: a frame of more slots counts as several. */
export const SLOTS_PER_FRAME = 32;
