import { CancellationScope, condition, defineQuery, isCancellation, setHandler } from '@temporalio/workflow';
import { defineSignal, defineUpdate } from '@temporalio/workflow';
import { trainingInput } from '../contracts/inputs.ts';
import { QUERIES, SIGNALS, UPDATES, type By, type TrainingPoint } from '../contracts/messages.ts';
import type { LeftModel, ModelSummary } from '../activities/training-types.ts';
import { mergeOf } from '../core/training/adapter/variants.ts';
import { activities } from './lib/activities.ts';
import { defineWorkflow } from './lib/define.ts';
import { waitForWorker } from './lib/device.ts';
import { withLease } from './lib/lease.ts';
import { createStory } from './lib/story.ts';
import { io, onDevice } from './options.ts';

export interface TrainingResult {
  models: ModelSummary[];
  /** How good those are whose training was left, by variant. */
  left?: Record<string, LeftModel['left']>;
}

/** What a training run answers when it is asked. */
export interface TrainingView {
  models: ModelSummary[];
  /** The loss curves of adapters, by variant; a point every few steps. */
  curves: Record<string, TrainingPoint[]>;
  paused: boolean;
}

export const trainingProgressQuery = defineQuery<TrainingView>(QUERIES.progress);
const trainingPoint = defineSignal<[TrainingPoint]>(SIGNALS.trainingPoint);
const pause = defineUpdate<void, [By?]>(UPDATES.pause);
const resume = defineUpdate<void, [By?]>(UPDATES.resume);

/**
 * Trains every variant on one dataset version, one after another, on a device queue under a lease. Each training
 * heartbeats, checkpoints and resumes exactly; the trained models are registered by content. A pause gives the device back; the
 * training then goes on from its last checkpoint, and its result is the same.
 */
export const trainingWorkflow = defineWorkflow(
  'trainingWorkflow',
  'run',
  trainingInput,
  async (input): Promise<TrainingResult> => {
    const { project, taskType, datasetId, deviceClass, seed, adapters } = input;
    const story = createStory({ project, taskType, layer: 'evolution' });
    const view: TrainingView = { models: [], curves: {}, paused: false };
    const { models } = view;
    let running: CancellationScope | undefined;
    setHandler(trainingProgressQuery, () => view);
    setHandler(trainingPoint, (point) => {
      (view.curves[point.variant] ??= []).push(point);
      const { variant, step, of, loss } = point;
      story.now(`training ${variant}: step ${step} of ${of}, loss ${loss.toFixed(3)}`, 'training');
    });
    setHandler(pause, async ({ by } = {}) => {
      if (view.paused) return;
      view.paused = true;
      story.tell(`paused${by === undefined ? '' : ` by ${by}`}`);
      running?.cancel();
      await condition(() => running === undefined);
    });
    setHandler(resume, ({ by } = {}) => {
      if (!view.paused) return;
      view.paused = false;
      story.tell(`resumed${by === undefined ? '' : ` by ${by}`}`);
    });

    const variants = await activities(io('plan the training')).planTraining({
      project,
      taskType,
      datasetId,
      ...(input.variants === undefined ? {} : { variants: input.variants }),
      ...(adapters === undefined ? {} : { adapters }),
    });
    const purpose = `train ${variants.length} variants for ${taskType}`;
    const left: Record<string, LeftModel['left']> = {};
    let next = 0;
    const train = async (): Promise<void> => {
      await waitForWorker(deviceClass, story);
      while (next < variants.length) {
        const variant = variants[next]!;
        story.now(`training ${variant} (${next + 1} of ${variants.length})`, 'training');
        const adapter = adapters?.find(({ name }) => name === variant || name === mergeOf(variant)?.adapter);
        const trained = await activities(onDevice(deviceClass, `train ${variant}`)).trainModel({
          project,
          taskType,
          datasetId,
          variant,
          seed,
          ...(adapter === undefined ? {} : { adapter }),
          ...(input.until === undefined ? {} : { until: input.until }),
        });
        if ('left' in trained) {
          left[variant] = trained.left;
          story.tell(`left ${variant} at step ${trained.left.step}, validation loss ${trained.left.loss.toFixed(4)}`);
        } else if ('leftOut' in trained) {
          story.tell(`left ${variant} out: ${trained.leftOut}`);
        } else {
          models.push(trained);
          story.tell(trained.text);
        }
        next++;
      }
    };
    while (next < variants.length) {
      await condition(() => !view.paused);
      const scope = new CancellationScope();
      running = scope;
      try {
        await scope.run(() =>
          withLease({ project, deviceClass, priority: 3, maxMs: input.leaseMs, purpose }, story, train),
        );
      } catch (error) {
        // A pause cancels what runs, and may be over before that has ended; where the workflow itself is cancelled, that goes on.
        const byPause = scope.consideredCancelled && !CancellationScope.current().consideredCancelled;
        if (!byPause || !isCancellation(error)) throw error;
        story.now('paused', 'paused');
      } finally {
        running = undefined;
      }
    }
    story.now(`${models.length} models trained`, 'done');
    return Object.keys(left).length === 0 ? { models } : { models, left };
  },
);
