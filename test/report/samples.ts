import type { CycleReport, DemoReport, Estimate } from '../../src/report/data.ts';

/** Data as a real run makes them, for the tests and for a look at the page. */

const about = (value: number, half: number): Estimate => ({
  value,
  low: value - half,
  high: Math.min(1, value + half),
});

/** A repeatable wobble in [-1, 1]; no randomness is needed to see a plot. */
const wobble = (i: number): number => Math.sin(i * 1.7) * 0.6 + Math.sin(i * 0.31 + 1) * 0.4;

export function sampleDemo(): DemoReport {
  const rolling = (
    from: number,
    to: number,
    level: (ordinal: number) => number,
  ): { ordinal: number; accuracy: number; low: number; high: number }[] =>
    Array.from({ length: Math.floor((to - from) / 40) }, (_, i) => {
      const ordinal = from + i * 40;
      const accuracy = Math.min(0.995, level(ordinal) + wobble(i) * 0.012);
      return { ordinal, accuracy, low: accuracy - 0.025, high: Math.min(1, accuracy + 0.025) };
    });
  return {
    taskType: 'mail-triage',
    title: 'mail triage demonstration',
    judged: 988,
    models: [
      { name: 'words', price: 1, balancedAccuracy: 0.968, askedBy: ['champion 2'] },
      { name: 'minilm-lora', price: 100, balancedAccuracy: 0.957, askedBy: [] },
    ],
    agents: [
      {
        name: 'keyword rule',
        accuracy: about(0.728, 0.028),
        balancedAccuracy: about(0.718, 0.027),
        f1: about(0.671, 0.033),
        fuelPer1000: 4.2e6,
        modelCallsPer1000: 0,
      },
      {
        name: 'champion 1',
        accuracy: about(0.914, 0.018),
        balancedAccuracy: about(0.908, 0.018),
        f1: about(0.898, 0.021),
        fuelPer1000: 9.7e6,
        modelCallsPer1000: 861,
      },
      {
        name: 'champion 2',
        accuracy: about(0.983, 0.008),
        balancedAccuracy: about(0.982, 0.009),
        f1: about(0.979, 0.01),
        fuelPer1000: 1.12e7,
        modelCallsPer1000: 704,
      },
    ],
    served: [
      { agent: 'keyword rule', from: 0, to: 2390 },
      { agent: 'champion 1', from: 2390, to: 4640 },
      { agent: 'champion 2', from: 4640, to: 4928 },
    ],
    rolling: [
      { agent: 'keyword rule', points: rolling(200, 2390, () => 0.79) },
      {
        agent: 'champion 1',
        points: rolling(2390, 4640, (o) => (o < 2954 ? 0.975 : 0.975 - Math.min(0.065, (o - 2954) / 6000))),
      },
      { agent: 'champion 2', points: rolling(4560, 4928, () => 0.981) },
    ],
    drift: {
      name: 'drift statistic',
      threshold: 20,
      points: Array.from({ length: 120 }, (_, i) => {
        const ordinal = i * 41;
        return { ordinal, statistic: ordinal < 2954 ? 3 + wobble(i) * 2.5 : Math.min(44, 3 + (ordinal - 2954) / 14) };
      }),
    },
    events: [
      { ordinal: 0, kind: 'deployment', text: 'keyword rule deployed' },
      { ordinal: 1970, kind: 'cycle', text: 'cycle 1 began: new data, 1,970 labelled examples' },
      { ordinal: 2120, kind: 'rollout', text: 'challenger 1 in shadow' },
      { ordinal: 2170, kind: 'rollout', text: 'challenger 1 in canary at 20 %' },
      { ordinal: 2390, kind: 'deployment', text: 'challenger 1 promoted: 131 won, 12 lost' },
      { ordinal: 3120, kind: 'drift', text: 'drift detected 166 tasks after wave 2 began' },
      { ordinal: 4435, kind: 'cycle', text: 'cycle 2 began: drift' },
      { ordinal: 4640, kind: 'deployment', text: 'challenger 2 promoted: 34 won, 3 lost' },
    ],
    confusion: [
      {
        agent: 'keyword rule',
        labels: ['ham', 'spam'],
        counts: [
          [421, 125],
          [144, 298],
        ],
      },
      {
        agent: 'champion 1',
        labels: ['ham', 'spam'],
        counts: [
          [518, 28],
          [57, 385],
        ],
      },
      {
        agent: 'champion 2',
        labels: ['ham', 'spam'],
        counts: [
          [539, 7],
          [10, 432],
        ],
      },
    ],
    layers: [
      { layer: 'ingestion', seconds: 6.1 },
      { layer: 'distribution', seconds: 3.4 },
      { layer: 'validation', seconds: 21.9 },
      { layer: 'execution', seconds: 38.2 },
      { layer: 'kpi', seconds: 9.3 },
      { layer: 'curation', seconds: 12.4 },
      { layer: 'evolution', seconds: 74.8 },
      { layer: 'resources', seconds: 0.6 },
    ],
    urls: [
      { label: 'Temporal UI', url: 'http://127.0.0.1:8233/namespaces/default/workflows' },
      { label: 'API', url: 'http://127.0.0.1:8787/openapi.json' },
    ],
    commands: [
      {
        title: 'Send your own mail',
        command: `curl -sS http://127.0.0.1:8787/v1/tasks -H "Authorization: Bearer $CHIMERA_API_KEY" \\\n  --json '{"taskType":"mail-triage","payload":{"raw":"Subject: hello"}}'`,
      },
      { title: 'Read the champion as a program', command: './chimera explain champion' },
    ],
  };
}

export function sampleCycle(): CycleReport {
  const id = (seed: string): string => seed.repeat(64).slice(0, 64);
  return {
    cycleId: 'cycle/default/mail-triage/2',
    project: 'default',
    taskType: 'mail-triage',
    startedAt: '2026-11-22T20:15:00Z',
    decision: { act: true, reason: 'Drift: the statistic crossed its threshold at ordinal 3,120.' },
    dataset: {
      id: id('7c1e9a'),
      version: 2,
      counts: { train: 2655, validation: 885, test: 885 },
      datasheet: {
        source: 'golden samples and feedback',
        uptoOrdinal: 4435,
        duplicatesRemoved: 212,
        redacted: { addresses: 8120, numbers: 5344 },
        balance: { ham: 0.58, spam: 0.42 },
      },
    },
    models: [
      { name: 'word-lr', price: 1, metrics: { accuracy: 0.972, logLoss: 0.084, trainSeconds: 3.1 } },
      { name: 'char-lr', price: 2, metrics: { accuracy: 0.978, logLoss: 0.071, trainSeconds: 7.4 } },
      { name: 'word-nb', price: 0.5, metrics: { accuracy: 0.951, logLoss: 0.19 } },
    ],
    search: {
      stoppedBy: 'plateau: no better front for 4 generations',
      evaluations: 226_560,
      generations: Array.from({ length: 8 }, (_, g) => ({
        generation: g,
        bestQuality: 0.985 - 0.07 * Math.exp(-g / 1.6),
        medianQuality: 0.965 - 0.22 * Math.exp(-g / 2.2),
        frontSize: 3 + g,
        evaluations: 28_320,
      })),
      front: [
        { id: id('a1'), quality: 0.86, cost: 0, chosen: false },
        { id: id('b2'), quality: 0.941, cost: 310, chosen: false },
        { id: id('c3'), quality: 0.982, cost: 704, chosen: true },
        { id: id('d4'), quality: 0.984, cost: 1480, chosen: false },
        { id: id('e5'), quality: 0.93, cost: 820, chosen: false },
        { id: id('f6'), quality: 0.968, cost: 1210, chosen: false },
      ],
    },
    finalists: [
      { id: id('c3'), quality: about(0.981, 0.009), cost: 704, chosen: true },
      { id: id('d4'), quality: about(0.982, 0.009), cost: 1480, chosen: false },
      { id: id('b2'), quality: about(0.938, 0.016), cost: 310, chosen: false },
    ],
    gate: {
      passed: true,
      checks: [
        { name: 'regression suite', passed: true, detail: '60 of 60 golden samples still right' },
        { name: 'capabilities', passed: true, detail: 'infer only, as its parent' },
        { name: 'fuel', passed: true, detail: 'at most 11,830 of 1,000,000 in one execution' },
      ],
    },
    rollout: {
      alpha: 0.05,
      stages: [
        { stage: 'shadow', fromOrdinal: 4435, text: 'first 50 paired tasks are served by the champion alone' },
        { stage: 'canary', fromOrdinal: 4485, text: 'share 20 %' },
        { stage: 'full', fromOrdinal: 4640, text: 'e-value 24.1 crossed 20' },
      ],
      evidence: Array.from({ length: 60 }, (_, i) => ({
        ordinal: 4435 + i * 3.5,
        eValue: Math.exp(i * 0.055 + wobble(i) * 0.5 - 0.1),
      })),
      wins: 34,
      losses: 3,
      decision: 'promoted',
      text: 'Challenger 2 was right where champion 1 was wrong 34 times, and wrong where it was right 3 times. The e-value passed 20 after 205 paired tasks.',
    },
    champion: {
      id: id('c3'),
      program:
        'if links_per_word > 0.042 and sender_is_free_mail\n  answer spam\np = word-lr(subject + text)\nif p > 0.91  answer spam\nif p < 0.08  answer ham\nq = char-lr(subject + text)\nanswer spam if (p + 2 q) / 3 > 0.47 else ham',
      diff: ' p = word-lr(subject + text)\n-if p > 0.88  answer spam\n+if p > 0.91  answer spam\n if p < 0.08  answer ham\n+q = char-lr(subject + text)\n-answer spam if p > 0.5 else ham\n+answer spam if (p + 2 q) / 3 > 0.47 else ham',
    },
    lineage: [
      { id: id('c3'), label: 'champion 2, generation 6', parents: [id('b2'), id('99')] },
      { id: id('b2'), label: 'candidate, generation 5', parents: [id('99')] },
      { id: id('99'), label: 'champion 1', parents: [id('7c1e9a')] },
      { id: id('7c1e9a'), label: 'dataset version 2', parents: [] },
    ],
    steps: [
      { step: 'curation', seconds: 6.2 },
      { step: 'training', seconds: 14.9 },
      { step: 'evolution', seconds: 41.3 },
      { step: 'evaluation', seconds: 2.8 },
      { step: 'rollout', seconds: 19.5 },
    ],
  };
}
