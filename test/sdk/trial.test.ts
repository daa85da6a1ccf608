import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { isChimeraError } from '../../src/contracts/errors.ts';
import type { JsonValue } from '../../src/contracts/records.ts';
import { Code } from '../../src/core/wasm/code.ts';
import { parseTaskType } from '../../src/core/validation/task-type.ts';
import type { AgentBuild, AgentProject, Sample, TrialReport } from '../../src/sdk/index.ts';
import { tryAgent } from '../../src/sdk/index.ts';
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

const sample = (n: JsonValue, expect: Sample['expect']): Sample => ({
  name: 'one',
  input: { n },
  recorded: [],
  expect,
});

describe('sdk: the trial of an agent', () => {
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
    samples: readonly Sample[],
    fabric: Parameters<typeof tryAgent>[0] = bench.fabric,
  ): Promise<TrialReport> => {
    const build: AgentBuild = { module, file: '', sha256: bench.put(module), toolchain: 'none', sources: {} };
    const project: AgentProject = {
      dir: '',
      name: 'doubler',
      language: 'rust',
      manifest: MANIFEST,
      taskType,
      samples,
    };
    return tryAgent(fabric, project, build, taskType);
  };
  const problems = ({ samples }: TrialReport): string => samples.flatMap((report) => report.problems).join('\n');

  it('passes an agent whose samples are as they should be', async () => {
    const report = await attempt(answering('2'), [sample(1, { output: 2 })]);
    assert.equal(report.ok, true, problems(report));
    const { turns, fuel, output, recordHash } = report.samples[0]!;
    assert.deepEqual([turns, output], [1, 2]);
    assert.ok(fuel! > 0);
    assert.match(recordHash!, /^[0-9a-f]{64}$/);
  });

  it('passes one that fails as the sample says', async () => {
    assert.equal((await attempt(answering('"text"'), [sample(1, { failure: 'bad-output' })])).ok, true);
  });

  it('fails where there is nothing to try it on', async () => {
    assert.equal((await attempt(answering('2'), [])).ok, false);
  });

  it('tells another output, with both', async () => {
    const report = await attempt(answering('2'), [sample(2, { output: 4 })]);
    assert.equal(report.ok, false);
    assert.match(problems(report), /expected output 4\n +got output 2/);
  });

  it('tells an output that the schema of the task type refuses', async () => {
    const report = await attempt(answering('"two"'), [sample(1, { output: 'two' })]);
    assert.equal(report.ok, false);
    assert.match(problems(report), /got failure bad-output/);
  });

  it('tells an input that the task type does not take', async () => {
    const report = await attempt(answering('2'), [sample('one', { output: 2 })]);
    assert.match(problems(report), /does not take the input: \/n must be integer/);
  });

  it('tells two runs that differ', async () => {
    let runs = 0;
    const fabric: Parameters<typeof tryAgent>[0] = {
      publish: (...args) => bench.fabric.publish(...args),
      prepare: (...args) => bench.fabric.prepare(...args),
      run: async (...args) => {
        runs++;
        return (await bench.fabric.run(...args)).map((result) => ({ ...result, recordHash: `run ${runs}` }));
      },
    };
    const report = await attempt(answering('2'), [sample(1, { output: 2 })], fabric);
    assert.equal(report.ok, false);
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
