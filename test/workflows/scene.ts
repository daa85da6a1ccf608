import { createHash } from 'node:crypto';
import type { AgentManifest, JsonObject, TaskRecord } from '../../src/contracts/records.ts';
import { hashOf } from '../../src/core/canonical/canonical.ts';
import { compileGenome } from '../../src/core/evolution/compile.ts';
import type { Genome } from '../../src/core/evolution/genome.ts';
import { stream } from '../../src/core/random/random.ts';
import { routingOf } from '../../src/core/rollout/routing.ts';
import { parseTaskType, type TaskType } from '../../src/core/validation/task-type.ts';
import type { TaskTypeDocument } from '../../src/stores/index.ts';
import { randomProject, type TestPlatform } from '../helpers/platform.ts';

/** A task type as small as one can be that has all a cycle needs: offers are those texts that say "buy". */
export const NOTES: TaskType = parseTaskType({
  name: 'notes',
  version: 1,
  title: 'Is this note an offer?',
  input: {
    type: 'object',
    required: ['text'],
    properties: { text: { type: 'string', minLength: 1, maxLength: 20_000 } },
    additionalProperties: false,
  },
  output: {
    type: 'object',
    required: ['label'],
    properties: { label: { enum: ['note', 'offer'] }, why: { type: 'string' } },
    additionalProperties: false,
  },
  scorer: { kind: 'label', pointer: '/label', labels: ['note', 'offer'], positive: 'offer' },
  objectives: [{ kpi: 'balanced_accuracy', direction: 'maximise' }],
  preprocess: [{ op: 'normalise', fields: ['text'], maxLength: 4000 }],
  features: [
    { name: 'buys', kind: 'terms', field: 'text', terms: ['buy'] },
    { name: 'length', kind: 'length', field: 'text' },
  ],
  limits: { fuel: 5_000_000, outputBytes: 1024 },
  text: '/text',
});

export interface Note {
  readonly payload: { text: string };
  readonly expected: { label: 'note' | 'offer' };
}

const WORDS = 'tree river stone cloud paper green table lamp early train window cup apple road small north'.split(' ');

/** Notes in order, as often offers as not. `pad`: so many words more, which is a drift of their length. */
export function notes(count: number, { from = 0, pad = 0 }: { from?: number; pad?: number } = {}): Note[] {
  return Array.from({ length: count }, (_, i) => {
    const random = stream('notes', 0, from + i, 'text');
    const offer = random.integer(2) === 1;
    const words = Array.from({ length: 6 + pad + random.integer(6) }, () => WORDS[random.integer(WORDS.length)]!);
    if (offer) words[random.integer(words.length)] = 'buy';
    return { payload: { text: `${words.join(' ')} ${from + i}` }, expected: { label: offer ? 'offer' : 'note' } };
  });
}

const decision = (rules: Genome['rules']): Genome => ({
  labels: ['note', 'offer'],
  rules,
  otherwise: { label: 'note' },
  default: 'note',
});

/** Says "note" to everything. */
export const NEVER = decision([]);
/** Is always right. */
export const RIGHT = decision([{ when: [{ feature: 0, op: '>', threshold: 0.5 }], then: { label: 'offer' } }]);

/** A stream of its own: a project with the task type, agents and a first champion. */
export class Scene {
  readonly platform: TestPlatform;
  readonly project: string;
  readonly taskType: string;

  constructor(platform: TestPlatform, project: string, taskType: string) {
    this.platform = platform;
    this.project = project;
    this.taskType = taskType;
  }

  /** What every workflow of this stream takes. */
  get subject(): { project: string; taskType: string } {
    return { project: this.project, taskType: this.taskType };
  }

  async publish(
    agent: Genome | Uint8Array,
    models: Record<string, string> = {},
    more: Partial<AgentManifest> = {},
  ): Promise<string> {
    const module = agent instanceof Uint8Array ? agent : compileGenome(agent);
    const manifest = {
      abi: 'chimera:agent@1' as const,
      description: 'of a test',
      capabilities: Object.keys(models).length > 0 ? (['infer'] as ['infer']) : [],
      models,
      limits: {},
      engine: 'any' as const,
      ...more,
    };
    const id = hashOf({ module: createHash('sha256').update(module).digest('hex'), manifest });
    await this.platform.stores.agents.putVersion(this.project, {
      id,
      agent: 'test',
      module: await this.platform.stores.artifacts.put(module, { kind: 'agent' }),
      manifest,
      parents: [],
      ...(agent instanceof Uint8Array ? {} : { genome: agent as unknown as JsonObject }),
    });
    return id;
  }

  /** Admits tasks as the gateway does; with `batch` as one closed batch. */
  async admit(
    payloads: readonly JsonObject[],
    { batch, prefix = `k${batch ?? ''}` }: { batch?: string; prefix?: string } = {},
  ): Promise<TaskRecord[]> {
    const { tasks, batches } = this.platform.stores;
    const batchId = batch === undefined ? undefined : this.batchId(batch);
    if (batchId !== undefined) await batches.open(this.project, this.taskType, batchId, batch!);
    const accepted = await tasks.acceptMany(
      this.project,
      this.taskType,
      payloads.map((payload, i) => ({ payload, key: `${prefix}-${i}` })),
      { route: routingOf, ...(batchId === undefined ? {} : { batchId }) },
    );
    const rows = accepted.map(({ task }) => task);
    if (batchId !== undefined) {
      await batches.close(this.project, batchId, rows.length, rows[0]?.ordinal, rows.at(-1)?.ordinal);
    }
    return rows;
  }

  batchId(batch: string): string {
    return hashOf({ project: this.project, batch }).slice(0, 32);
  }

  /** Serves notes and tells what would have been right: the stream moves on by so many ordinals. */
  async serve(batch: string, items: readonly Note[]): Promise<TaskRecord[]> {
    const rows = await this.admit(
      items.map(({ payload }) => payload),
      { batch },
    );
    await this.platform.execute('taskBatchWorkflow', { project: this.project, batchId: this.batchId(batch) });
    await this.platform.stores.feedback.addMany(
      this.project,
      rows.map(({ taskId }, i) => ({
        taskId,
        feedback: { kind: 'demonstration' as const, value: items[i]!.expected },
      })),
    );
    return rows;
  }
}

export interface SceneOptions {
  readonly type?: TaskType;
  readonly project?: string;
  /** What the champion may ask: names by which it does, and ids. */
  readonly models?: Record<string, string>;
  /** What else its manifest says. */
  readonly manifest?: Partial<AgentManifest>;
}

export async function openScene(
  platform: TestPlatform,
  champion: Genome | Uint8Array = NEVER,
  { type = NOTES, project = randomProject(), models = {}, manifest = {} }: SceneOptions = {},
): Promise<Scene> {
  const scene = new Scene(platform, project, type.name);
  const { projects, taskTypes, deployments } = platform.stores;
  await projects.ensure(project);
  await taskTypes.put(project, type as TaskTypeDocument);
  const id = await scene.publish(champion, models, manifest);
  await deployments.initial(project, type.name, id, {
    type: 'deployment.initial',
    actor: 'test',
    subject: type.name,
    details: {},
  });
  return scene;
}
