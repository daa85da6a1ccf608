import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { isChimeraError } from '../../src/contracts/errors.ts';
import { deviceQueue, SEARCH_ATTRIBUTES, TASK_QUEUES } from '../../src/contracts/names.ts';
import {
  deviceCounts,
  deviceRuntimes,
  loadManifest,
  MANIFEST_FILE,
  parseManifest,
} from '../../src/manifest/manifest.ts';

function problemsOf(text: string): string[] {
  try {
    parseManifest(text);
  } catch (error) {
    assert.ok(isChimeraError(error, 'CHIMERA_INVALID_INPUT'), String(error));
    return (error.details.problems ?? []).map(({ path, message }) => `${path}: ${message}`);
  }
  return [];
}

describe('temporal.yaml', () => {
  const shipped = readFileSync(MANIFEST_FILE, 'utf8');

  it('that ships is valid and has every queue and search attribute the code uses', () => {
    const manifest = loadManifest();
    assert.deepEqual(
      manifest.taskQueues.map(({ name }) => name).sort(),
      [...Object.values(TASK_QUEUES), deviceQueue('cpu')].sort(),
    );
    assert.deepEqual(Object.keys(manifest.searchAttributes).sort(), Object.values(SEARCH_ATTRIBUTES).sort());
    assert.deepEqual(deviceCounts(manifest), { cpu: 1 });
    const [cycle] = manifest.schedules;
    assert.equal(cycle?.enabled, false, 'the demo must not be disturbed');
    assert.equal(cycle?.every, 3_600_000);
    assert.equal(cycle?.overlap, 'skip');
  });

  it('is refused with every problem of its shape at once', () => {
    const text = shipped
      .replace('retention: 7d', 'retention: soon')
      .replace('ChimeraAgent: Keyword', 'ChimeraAgent: Keywrd')
      .replace('slots: 40', 'slots: 0')
      .replace('every: 1h', 'evry: 1h');
    const problems = problemsOf(text);
    for (const path of [
      '/namespace/retention',
      '/searchAttributes/ChimeraAgent',
      '/taskQueues/0/slots',
      '/schedules/0',
    ])
      assert.ok(
        problems.some((problem) => problem.startsWith(`${path}:`)),
        `${path} in ${problems.join('\n')}`,
      );
  });

  it('is refused when its parts contradict each other', () => {
    const text = shipped
      .replace('name: chimera-io,', 'name: chimera-wasm,')
      .replace('deviceClass: cpu', 'deviceClass: h200')
      .replace('taskQueue: chimera-workflows', 'taskQueue: chimera-wasm')
      .replace('input: { taskType: mail-triage }', 'input: { tasktype: mail-triage }');
    const problems = problemsOf(text);
    assert.deepEqual(problems.slice(0, 5), [
      '/taskQueues/2/name: chimera-wasm is there twice',
      '/taskQueues/3/deviceClass: h200 is not in deviceClasses',
      '/taskQueues/3/name: must be chimera-gpu-h200',
      '/deviceClasses/cpu: has no task queue of kind device',
      '/schedules/0/taskQueue: chimera-wasm is no workflow queue',
    ]);
    assert.match(problems.slice(5).join('\n'), /\/schedules\/0\/input.*tasktype/s);
  });

  it('says of a device class how its devices run graphs: by the processor and one thread where it does not', () => {
    const withClass = (text: string): string =>
      shipped
        .replace(/( *)- \{ name: chimera-gpu-cpu.*/, (line, indent) =>
          [line, `${indent}- { name: chimera-gpu-h100, kind: device, slots: 1, deviceClass: h100 }`].join('\n'),
        )
        .replace(/^( *)# h100: .*$/m, (_, indent) => `${indent}h100: ${text}`);
    const h100 = '{ count: 1, costPerHour: 3, provider: cuda, threads: 4 }';
    assert.deepEqual(deviceRuntimes(parseManifest(withClass(h100))), {
      cpu: { provider: 'cpu', threads: 1 },
      h100: { provider: 'cuda', threads: 4 },
    });
    assert.deepEqual(
      problemsOf(withClass('{ count: -1, provider: metal, threads: 0, memory: 80 }')).map((each) => each.split(':')[0]),
      [...['count', 'provider', 'threads'].map((member) => `/deviceClasses/h100/${member}`), '/deviceClasses/h100'],
    );
  });

  it('takes one of every and cron, and says what is wrong with YAML', () => {
    assert.match(
      problemsOf(shipped.replace('every: 1h', 'every: 1h\n    cron: "0 * * * *"'))[0]!,
      /either every or cron/,
    );
    assert.deepEqual(problemsOf(shipped.replace('every: 1h', 'cron: "0 * * * *"')), []);
    assert.equal(problemsOf('a: [').length > 0, true);
    assert.throws(() => loadManifest('/none/temporal.yaml'), /no manifest named \/none\/temporal.yaml/);
  });

  describe('declares tools', () => {
    const withTools = (tools: unknown): string => `${shipped}\ntools: ${JSON.stringify(tools)}\n`;
    const search = { name: 'search', description: 'Finds', input: { type: 'object' } };

    it('of its own modules and of other workers', () => {
      const crm = { ...search, name: 'crm.find', queue: 'crm', activity: 'findCustomer', timeout: '5m', price: 0.01 };
      const { tools } = parseManifest(withTools([{ ...search, module: './tools/search.ts' }, crm]));
      assert.deepEqual(tools, [
        { ...search, module: './tools/search.ts', timeout: 30_000, price: 0 },
        { ...crm, timeout: 300_000 },
      ]);
      assert.deepEqual(parseManifest(shipped).tools, []);
    });

    it('and is refused with every problem of them', () => {
      const shapes = problemsOf(
        withTools([
          { ...search, name: 'Search', module: 'search.ts', timeout: '2h', price: -1 },
          search,
          { ...search, module: './a.ts', queue: 'crm', activity: 'x' },
          { ...search, queue: 'crm' },
          { ...search, input: true, module: './a.ts' },
          { ...search, module: './a.ts', secret: 1 },
        ]),
      ).map((problem) => problem.split(':')[0]);
      assert.deepEqual(
        new Set(shapes),
        new Set([
          ...['name', 'module', 'timeout', 'price'].map((member) => `/tools/0/${member}`),
          ...['/tools/1', '/tools/2', '/tools/3', '/tools/4/input', '/tools/5'],
        ]),
      );
      const input = { type: 'object', properties: { a: { type: 'txt' } } };
      const pattern = { pattern: '(a+)+\\1' };
      assert.deepEqual(
        problemsOf(
          withTools([
            { ...search, module: './a.ts' },
            { ...search, module: './b.ts', input, output: pattern },
          ]),
        ).map((problem) => problem.split(':')[0]),
        [
          '/tools/1/name',
          '/tools/1/input/properties/a/type',
          '/tools/1/input/properties/a/type',
          '/tools/1/input/properties/a/type',
          '/tools/1/output/pattern',
        ],
      );
    });
  });
});
