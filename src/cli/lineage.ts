import type { AgentVersion, ModelRecord } from '../contracts/records.ts';
import type { Stores } from '../stores/index.ts';

/** One thing that something was made from. */
export interface LineageNode {
  readonly kind: 'agent' | 'experiment' | 'model' | 'dataset' | 'tasks';
  readonly id: string;
  readonly text: string;
  readonly from: readonly LineageNode[];
  /** It is shown in full elsewhere in the tree. */
  readonly again?: true;
}

/** The tree of what an agent version was made from, back to the tasks. Each thing is spelled out once. */
export async function lineageOf(stores: Stores, project: string, version: AgentVersion): Promise<LineageNode> {
  const seen = new Set<string>();

  const once = async (
    kind: LineageNode['kind'],
    id: string,
    make: () => Promise<Pick<LineageNode, 'text' | 'from'>>,
  ): Promise<LineageNode> => {
    if (seen.has(`${kind}/${id}`)) return { kind, id, text: 'as above', from: [], again: true };
    seen.add(`${kind}/${id}`);
    return { kind, id, ...(await make()) };
  };

  const inOrder = async <T>(items: readonly T[], node: (item: T) => Promise<LineageNode>): Promise<LineageNode[]> => {
    const nodes: LineageNode[] = [];
    // One after the other: what is spelled out first must not hang on timing.
    for (const item of items) nodes.push(await node(item));
    return nodes;
  };

  const datasetNode = (id: string): Promise<LineageNode> =>
    once('dataset', id, async () => {
      const dataset = await stores.datasets.get(project, id);
      if (dataset === undefined) return { text: 'is not on record', from: [] };
      const { taskType, counts, uptoOrdinal, artifact } = dataset;
      const tasks: LineageNode = {
        kind: 'tasks',
        id: `${taskType} 0…${uptoOrdinal - 1}`,
        text: 'of the stream',
        from: [],
      };
      const sizes = `${counts.train} train, ${counts.validation} validation, ${counts.test} test`;
      return { text: `version ${dataset.version}, ${sizes}, artifact ${artifact.sha256}`, from: [tasks] };
    });

  const modelNode = (name: string | undefined, id: string): Promise<LineageNode> =>
    once('model', id, async () => {
      const model = await stores.models.get(project, id);
      if (model === undefined) return { text: `${name ?? ''} is not on record`.trim(), from: [] };
      // Nobody knows the data of an adapter that was imported.
      const data = model.dataset === '' ? [] : [await datasetNode(model.dataset)];
      const merged = await inOrder(parentsOf(model), (parent) => modelNode(undefined, parent));
      return { text: model.name, from: [...data, ...merged] };
    });

  const experimentNode = (id: string): Promise<LineageNode> =>
    once('experiment', id, async () => {
      const experiment = await stores.experiments.get(project, id);
      if (experiment === undefined) return { text: 'is not on record', from: [] };
      const { datasetId, modelIds } = experiment.document;
      const from = typeof datasetId === 'string' ? [await datasetNode(datasetId)] : [];
      const models = Array.isArray(modelIds) ? modelIds.filter((model) => typeof model === 'string') : [];
      return {
        text: `search for ${experiment.taskType}, ${experiment.status}`,
        from: [...from, ...(await inOrder(models, (model) => modelNode(undefined, model)))],
      };
    });

  const agentNode = (agent: AgentVersion): Promise<LineageNode> =>
    once('agent', agent.id, async () => {
      const from = agent.experiment === undefined ? [] : [await experimentNode(agent.experiment)];
      const models = await inOrder(Object.entries(agent.manifest.models), ([name, id]) => modelNode(name, id));
      const parents = await inOrder(agent.parents, async (id) => {
        const parent = await stores.agents.get(project, id);
        return parent === undefined ? { kind: 'agent', id, text: 'is not on record', from: [] } : agentNode(parent);
      });
      return {
        text: `${agent.agent}, module ${agent.module.sha256}`,
        from: [...from, ...models, ...parents],
      };
    });

  return agentNode(version);
}

/** The adapters that one was merged of. */
function parentsOf({ report }: ModelRecord): string[] {
  const { parents } = report;
  return Array.isArray(parents) ? parents.filter((parent) => typeof parent === 'string') : [];
}

/** The tree as text. */
export function lineageText(root: LineageNode): string {
  const lines: string[] = [];
  const walk = (node: LineageNode, indent: string, branch: string, below: string): void => {
    lines.push(`${indent}${branch}${node.kind} ${node.id}  ${node.text}`);
    node.from.forEach((child, i) => {
      const last = i === node.from.length - 1;
      walk(child, indent + below, last ? '└─ ' : '├─ ', last ? '   ' : '│  ');
    });
  };
  walk(root, '', '', '');
  return lines.join('\n');
}
