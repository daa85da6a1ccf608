import { ChimeraClient } from '../../client/index.ts';
import type { Platform } from '../platform.ts';
import type { DemoExample, ExampleItem } from './example.ts';
import { installExample } from './install.ts';
import { playStream, type PlanOptions } from './plan.ts';
import { platformSight } from './sight.ts';

export interface PlayOptions extends Pick<PlanOptions, 'name' | 'onEvent' | 'signal'> {
  readonly seed: string;
  /** Settings of the cycles besides the seed. */
  readonly cycle?: Partial<PlanOptions['cycle']>;
  /** Whose stream it is. Default: the platform's own project. */
  readonly tenant?: { readonly project: string; readonly apiKey: string };
  /** Called with the id of the first agent's version, once it serves. */
  readonly onInstalled?: (baseline: string) => void;
}

/** Installs an example on a running platform and plays its stream plan to the end. */
export async function playExample(
  platform: Platform,
  example: DemoExample,
  items: readonly ExampleItem[],
  { seed, name, onEvent, signal, cycle, tenant, onInstalled }: PlayOptions,
): Promise<void> {
  const { stores, gatewayUrl } = platform;
  const { project, apiKey } = tenant ?? { project: platform.config.project, apiKey: platform.apiKey };
  const taskType = example.taskType.name;
  const baseline = await installExample(stores, project, example);
  onInstalled?.(baseline);
  await playStream({
    client: new ChimeraClient({ baseUrl: gatewayUrl, apiKey }),
    taskType,
    items,
    name,
    sight: platformSight(stores, project, taskType),
    cycle: { seed, minimumExamples: 40, ...cycle },
    onEvent,
    ...(signal === undefined ? {} : { signal }),
  });
}
