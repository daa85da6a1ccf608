import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { isChimeraError } from '../../src/contracts/errors.ts';
import type { AgentSample } from '../../src/contracts/agents.ts';
import type { JsonValue } from '../../src/contracts/records.ts';
import { Code } from '../../src/core/wasm/code.ts';
import { parseTaskType } from '../../src/core/validation/task-type.ts';
import { passed, tryAgent, type TrialFabric, type TrialReport } from '../../src/activities/trial.ts';
import { agentModule, answering } from '../fabric/agents.ts';
import { Bench, MANIFEST } from '../fabric/harness.ts';

const taskType = parseTaskType({
  name: 'doubling',
  version: 1,
  title: 'Twice the number',
  input: { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'], additionalProperties: false },
  output: { type: 'integer' },
  scorer: { kind: 'exact' },
  objectives: [{ kpi: 'accuracy', direction: 'maximise' }],
});

const sample = (n: JsonValue, expect: AgentSample['expect']): AgentSample => ({
  name: 'one',
  input: { n },
  recorded: [],
  expect,
});

describe('activities: the trial of an agent', () => {
  let bench: Bench;
  before(() => {
    bench = new Bench({
      poolSize: 1,
      entry: fileURLToPath(new URL('../../src/fabric/child/main.ts', import.meta.url)),
    });
  });
  after(() => bench.fabric.close());

  const attempt = (
    module: Uint8Array,
    samples: readonly AgentSample[],
    fabric: TrialFabric = bench.fabric,
  ): Promise<TrialReport> => {
    bench.put(module);
    return tryAgent(fabric, module, MANIFEST, taskType, samples);
  };
  const problems = ({ samples }: TrialReport): string => samples.flatMap((report) => report.problems).join('\n');

  it('passes an agent whose samples are as they should be', async () => {
    const report = await attempt(answering('2'), [sample(1, { output: 2 })]);
    assert.equal(passed(report.samples), true, problems(report));
    const { turns, fuel, output, recordHash } = report.samples[0]!;
    assert.deepEqual([turns, output], [1, 2]);
    assert.ok(fuel! > 0);
    assert.match(recordHash!, /^[0-9a-f]{64}$/);
  });

  it('passes one that fails as the sample says', async () => {
    const { samples } = await attempt(answering('"text"'), [sample(1, { failure: 'bad-output' })]);
    assert.equal(passed(samples), true);
  });

  it('tells another output, with both', async () => {
    const report = await attempt(answering('2'), [sample(2, { output: 4 })]);
    assert.equal(passed(report.samples), false);
    assert.match(problems(report), /expected output 4\n +got output 2/);
  });

  it('tells an output that the schema of the task type refuses', async () => {
    const report = await attempt(answering('"two"'), [sample(1, { output: 'two' })]);
    assert.equal(passed(report.samples), false);
    assert.match(problems(report), /got failure bad-output/);
  });

  it('tells an input that the task type does not take', async () => {
    const report = await attempt(answering('2'), [sample('one', { output: 2 })]);
    assert.match(problems(report), /does not take the input: \/n must be integer/);
  });

  it('tells two runs that differ', async () => {
    let runs = 0;
    const fabric: TrialFabric = {
      publish: (...args) => bench.fabric.publish(...args),
      prepare: (...args) => bench.fabric.prepare(...args),
      run: async (...args) => {
        runs++;
        return (await bench.fabric.run(...args)).map((result) => ({ ...result, recordHash: `run ${runs}` }));
      },
    };
    const report = await attempt(answering('2'), [sample(1, { output: 2 })], fabric);
    assert.equal(passed(report.samples), false);
    assert.match(problems(report), /not deterministic/);
  });

  const refused: [string, Uint8Array, string][] = [
    ['that is no module', new Uint8Array([1, 2, 3]), 'malformed'],
    ['whose first step traps', agentModule({ step: new Code().op('unreachable') }), 'smoke'],
  ];
  for (const [what, module, rule] of refused)
    it(`throws for a module ${what}`, async () => {
      await assert.rejects(
        attempt(module, [sample(1, { output: 2 })]),
        (error) => isChimeraError(error, 'CHIMERA_AGENT_REFUSED') && error.details['rule'] === rule,
      );
    });
});
