import type { Client } from '@temporalio/client';
import type { WorldEffects } from '../effects/world.ts';
import type { Learning } from '../learning/learning.ts';
import type { DeviceRuntime } from '../learning/runtime/provider.ts';
import type { Stores } from '../stores/index.ts';
import type { Fabric } from '../fabric/index.ts';
import type { LendBlobs } from '../fabric/lending.ts';

/** What activities work with. Built once by a worker; everything an activity touches comes in here. */
export interface ActivityDeps {
  stores: Stores;
  fabric: Fabric;
  /** Base models of this machine: to train beside, and to ask. */
  learning: Learning;
  /** How what agents ask of the world is performed. */
  world: WorldEffects;
  /** Makes bytes that are not stored (the modules of candidates) known to the sandboxes until they are released. */
  lendBlobs: LendBlobs;
  temporal: Client;
  /** Device class → number of devices, from temporal.yaml. */
  deviceClasses: Record<string, number>;
  /** Cost of a device second by class, in money units; from temporal.yaml. */
  deviceCosts: Record<string, number>;
  /** Task queue of a device → how its graphs are run; from temporal.yaml. */
  runtimes: Record<string, DeviceRuntime>;
  /** Prefix of every task queue of this stack. */
  queuePrefix: string;
}
