import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { ScoreRow } from '../../../src/contracts/records.ts';
import {
  createMonitor,
  followDrift,
  promotionsOf,
  scoreExecutions,
  WINDOW,
  windowsOf,
  type StreamExecution,
  type StreamFeedback,
} from '../../../src/core/kpi/stream.ts';
import { stream } from '../../../src/core/random/random.ts';
import { parseTaskType, type TaskType } from '../../../src/core/validation/task-type.ts';

const typeWith = (...features: string[]): TaskType =>
  parseTaskType({
    name: 'sorting',
    version: 1,
    title: 'Sorting',
    input: { type: 'object' },
    output: { type: 'object' },
    scorer: { kind: 'label', pointer: '/label', labels: ['a', 'b'] },
    objectives: [{ kpi: 'quality', direction: 'maximise' }],
    features: features.map((name) => ({ name, kind: 'length', field: 'text' })),
  });
const type = typeWith('length');

const execution = (ordinal: number, over: Partial<StreamExecution> = {}): StreamExecution => ({
  taskId: `t${ordinal}`,
  ordinal,
  agentVersion: 'v1',
  role: 'served',
  status: 'completed',
  output: { label: 'a' },
  ...{ fuel: 10, modelCalls: 0, memoryBytes: 0, turns: 1, recordHash: '', features: [0] },
  type,
  ...over,
});
const shows = (taskId: string, label: string, late = false): StreamFeedback => ({
  taskId,
  late,
  feedback: { kind: 'demonstration', value: { label } },
});

describe('core/kpi/stream: what the recorded stream says', () => {
  it('scores by the last demonstration in time, and a verdict only for who it was given on', () => {
    const rows = [execution(0), execution(1), execution(1, { agentVersion: 'v2', role: 'shadow' }), execution(2)];
    const scores = scoreExecutions(rows, [
      { taskId: 't0', late: false, feedback: { kind: 'boolean', value: true } },
      shows('t0', 'b'),
      shows('t0', 'a', true),
      { taskId: 't1', late: false, feedback: { kind: 'boolean', value: false } },
      { taskId: 't2', late: false, feedback: { kind: 'comment', value: 'nice' } },
    ]);
    assert.deepEqual(
      scores.map(({ ordinal, agentVersion, correct }) => [ordinal, agentVersion, correct]),
      [
        [0, 'v1', false],
        [1, 'v1', false],
      ],
    );
  });

  it('counts each execution in the window of its version and place', () => {
    const rows = [execution(WINDOW - 1), execution(WINDOW), execution(WINDOW + 1, { agentVersion: 'v2' })];
    const scores: ScoreRow[] = scoreExecutions(rows, [shows(`t${WINDOW}`, 'a')]);
    assert.deepEqual(
      windowsOf(rows, scores).map(({ agentVersion, fromOrdinal, values }) => [
        agentVersion,
        fromOrdinal,
        values.executions,
        values.correct,
      ]),
      [
        ['v1', 0, 1, 0],
        ['v1', WINDOW, 1, 1],
        ['v2', WINDOW, 1, 0],
      ],
    );
  });

  const drifting = (length: number, changes: readonly number[]): StreamExecution[] => {
    const draws = stream('stream-test', 0, 0, 'values');
    return Array.from({ length }, (_, ordinal) => {
      const level = changes.filter((at) => ordinal >= at).length;
      return execution(ordinal, { features: [draws.uniform() + 2 * level] });
    });
  };
  const subject = { project: 'p', taskType: type.name };

  it('gives the same alarms and the same state whatever the stream is cut into', () => {
    const rows = drifting(2000, [500, 1400]);
    const promotions = [800];
    const whole = followDrift(subject, promotions, createMonitor(), rows);
    assert.equal(whole.alarms.length, 2);
    assert.ok(whole.alarms[0]!.ordinal >= 500 && whole.alarms[1]!.ordinal >= 1400);
    assert.equal(whole.alarms[1]!.details.since, 800);
    fc.assert(
      fc.property(fc.array(fc.nat(2000), { maxLength: 6 }), (cuts) => {
        const edges = [0, ...cuts.toSorted((a, b) => a - b), rows.length];
        let document = createMonitor();
        const alarms = edges.slice(1).flatMap((to, i) => {
          // A promotion is known only once its ordinal is the next one to be given.
          const known = promotions.filter((from) => from <= to);
          const step = followDrift(subject, known, document, rows.slice(edges[i], to));
          document = step.document;
          return step.alarms;
        });
        assert.deepEqual(alarms, whole.alarms);
        assert.deepEqual(document, whole.document);
      }),
      { numRuns: 20 },
    );
  });

  it('begins a new history where the features change, and follows nothing where there are none', () => {
    const other = typeWith('words');
    const rows = drifting(900, []).map((row) => (row.ordinal < 400 ? row : { ...row, type: other }));
    const { document, alarms } = followDrift(subject, [], createMonitor(), rows);
    assert.deepEqual(alarms, []);
    assert.equal(document.driftFrom, 400);
    const none = typeWith();
    const blind = followDrift(subject, [], createMonitor(), [execution(0, { type: none, features: [] })]);
    assert.equal(blind.document.drift, null);
  });

  it('takes a new champion for a promotion, and a new stage not', () => {
    const history = [
      { champion: 'a', fromOrdinal: 0 },
      { champion: 'a', fromOrdinal: 10 },
      { champion: 'b', fromOrdinal: 20 },
    ];
    assert.deepEqual(promotionsOf(history), [20]);
  });
});
