import { Code, F64, I32, I64 } from '../wasm/code.ts';
import { encodeModule } from '../wasm/encoder.ts';
import { STATE, answersOf } from './answers.ts';
import type { Answers } from './answers.ts';
import { featuresNeeded, isLinear } from './genome.ts';
import type { Condition, Genome, ModelUse } from './genome.ts';
import { StepResults } from './step-results.ts';

/** The parameters of `step`, and its one local. */
const STATE_PTR = 0;
const STATE_LEN = 1;
const BODY = 5;
const RESULTS_PTR = 6;
const RESULTS_LEN = 7;
const FEATURES_PTR = 8;
const FEATURES_LEN = 9;
const SCORE = 10;

/** Layout of `effect-result` in the canonical ABI. */
const EFFECT_RESULT = { ok: 0, scoresPtr: 12, scoresLen: 16 } as const;

function emitCondition(code: Code, condition: Condition): void {
  const feature = (index: number): Code => code.get(FEATURES_PTR).memory('f64_load', 8 * index);
  if (isLinear(condition)) {
    condition.sum.forEach((term, index) => {
      code.f64(term.weight);
      feature(term.feature).op('f64_mul');
      if (index > 0) code.op('f64_add');
    });
  } else {
    feature(condition.feature);
  }
  code.f64(condition.threshold).op(condition.op === '<=' ? 'f64_le' : 'f64_gt');
}

/** The first step: features against the rules, in order. Always returns. */
function emitRules(code: Code, genome: Genome, answers: Answers, results: StepResults): void {
  const needed = featuresNeeded(genome);
  if (needed > 0) {
    code.get(FEATURES_LEN).i32(needed).op('i32_lt_u').if().i32(results.address(answers.tooFewFeatures));
    code.op('return').end();
  }
  genome.rules.forEach((rule, index) => {
    code.block();
    for (const condition of rule.when) {
      emitCondition(code, condition);
      code.op('i32_eqz').brIf(0);
    }
    code.i32(results.address(answers.rules[index]!)).op('return').end();
  });
  code.i32(results.address(answers.otherwise)).op('return');
}

/** Leaves the score at `index` of the only effect result in the local SCORE; NaN where there is none. */
function emitScore(code: Code, index: number): void {
  code.f64(NaN).set(SCORE);
  code.get(RESULTS_PTR).memory('i32_load8_u', EFFECT_RESULT.ok).if();
  code.get(RESULTS_PTR).memory('i32_load', EFFECT_RESULT.scoresLen).i32(index).op('i32_gt_u').if();
  code
    .get(RESULTS_PTR)
    .memory('i32_load', EFFECT_RESULT.scoresPtr)
    .memory('f64_load', 8 * index)
    .set(SCORE);
  code.end().end();
}

const emitIfNoScore = (code: Code): Code => code.get(SCORE).get(SCORE).op('f64_ne').if();

function emitFirstModel(code: Code, model: ModelUse, answers: Answers, results: StepResults): void {
  emitScore(code, model.score);
  emitIfNoScore(code).i32(results.address(answers.first!.unavailable)).op('return').end();
  if (model.second !== undefined) {
    code.get(SCORE).f64(model.second.low).op('f64_gt').get(SCORE).f64(model.second.high).op('f64_lt', 'i32_and').if();
    code.i32(results.scoreAddress()).get(SCORE).memory('f64_store');
    code.i32(results.address(answers.second!.ask)).op('return').end();
  }
  emitThreshold(code, model.threshold, answers.first!, results);
}

function emitSecondModel(code: Code, model: ModelUse, answers: Answers, results: StepResults): void {
  emitScore(code, model.second!.score);
  emitIfNoScore(code).get(STATE_PTR).memory('f64_load', STATE.scoreOffset).set(SCORE);
  emitThreshold(code, model.threshold, answers.first!, results);
  code.end();
  emitThreshold(code, model.second!.threshold, answers.second!, results);
}

/** Returns the positive or the negative answer by the local SCORE. */
function emitThreshold(
  code: Code,
  threshold: number,
  answers: NonNullable<Answers['second']>,
  results: StepResults,
): void {
  code.i32(results.address(answers.positive)).i32(results.address(answers.negative));
  code.get(SCORE).f64(threshold).op('f64_ge', 'select', 'return');
}

function emitStep(genome: Genome, results: StepResults): Code {
  const answers = answersOf(genome);
  const code = new Code();
  code.get(BODY).op('i32_eqz').if();
  emitRules(code, genome, answers, results);
  code.end();
  const { model } = genome;
  if (model !== undefined) {
    code.get(STATE_LEN).i32(STATE.size).op('i32_eq').get(RESULTS_LEN).i32(1).op('i32_eq', 'i32_and').if();
    const stageIs = (stage: number): Code =>
      code.get(STATE_PTR).memory('i32_load8_u', STATE.stageOffset).i32(stage).op('i32_eq').if();
    stageIs(1);
    emitFirstModel(code, model, answers, results);
    code.end();
    if (model.second !== undefined) {
      stageIs(2);
      emitSecondModel(code, model, answers, results);
      code.end();
    }
    code.end();
  }
  return code.i32(results.address(answers.unexpectedEvent));
}

/**
 * `cabi_realloc(old, oldSize, align, newSize)`: a bump allocator over the exported memory, which grows by need and traps
 * where it cannot. Nothing is freed: an instance lives for one step.
 */
function emitRealloc(): Code {
  const [OLD, OLD_SIZE, ALIGN, NEW_SIZE, PTR, END] = [0, 1, 2, 3, 4, 5];
  const code = new Code();
  code.globalGet(0).get(ALIGN).op('i32_add').i32(1).op('i32_sub');
  code.i32(0).get(ALIGN).op('i32_sub', 'i32_and').tee(PTR).get(NEW_SIZE).op('i32_add').tee(END);
  code.get(PTR).op('i32_lt_u').get(PTR).globalGet(0).op('i32_lt_u', 'i32_or').if().op('unreachable').end();
  // Whole pages that END needs beyond what there is.
  code.get(END).i32(16).op('i32_shr_u').get(END).i32(0xffff).op('i32_and').i32(0).op('i32_ne', 'i32_add');
  code.tee(ALIGN).memorySize().op('i32_gt_u').if();
  code.get(ALIGN).memorySize().op('i32_sub').memoryGrow().i32(-1).op('i32_eq').if().op('unreachable').end().end();
  code.get(END).globalSet(0);
  // A reallocation keeps the bytes that fit, the last one first: old and new never overlap.
  code.get(OLD_SIZE).get(NEW_SIZE).get(OLD_SIZE).get(NEW_SIZE).op('i32_lt_u', 'select').set(OLD_SIZE);
  code.block().loop().get(OLD_SIZE).op('i32_eqz').brIf(1);
  code.get(OLD_SIZE).i32(1).op('i32_sub').tee(OLD_SIZE).get(PTR).op('i32_add');
  code.get(OLD).get(OLD_SIZE).op('i32_add').memory('i32_load8_u').memory('i32_store8').br(0).end().end();
  return code.get(PTR);
}

/**
 * The agent of a valid genome as a core module without imports and start function, in the canonical ABI of
 * `wit/agent.wit`: exports `memory`, `cabi_realloc` and `step`. The same genome always gives the same bytes.
 */
export function compileGenome(genome: Genome): Uint8Array<ArrayBuffer> {
  const results = new StepResults();
  const step = emitStep(genome, results);
  const bytes = results.bytes();
  const heap = results.end();
  return encodeModule({
    functions: [
      { params: [I32, I32, I32, I32], results: [I32], locals: [I32, I32], code: emitRealloc(), export: 'cabi_realloc' },
      {
        params: [I32, I32, I32, I64, I64, I32, I32, I32, I32, I32],
        results: [I32],
        locals: [F64],
        code: step,
        export: 'step',
      },
    ],
    memory: { min: Math.ceil(heap / 0x10000), export: 'memory' },
    globals: [{ type: I32, mutable: true, init: new Code().i32(heap) }],
    data: [{ offset: StepResults.BASE, bytes }],
  });
}
