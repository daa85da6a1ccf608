import { ChimeraError, isChimeraError } from '../contracts/errors.ts';
import { failpoint } from '../contracts/failpoint.ts';
import type { RolloutInput } from '../contracts/inputs.ts';
import type { Deployment, JsonObject, JsonValue } from '../contracts/records.ts';
import { hashOf } from '../core/canonical/canonical.ts';
import { decisionOf, rolloutSettings, weighPairs, type RolloutTerms } from '../core/rollout/decision.ts';
import { createRollout, explainRollout, rolloutStage, type RolloutState } from '../core/rollout/rollout.ts';
import type { RolloutRecord } from '../stores/index.ts';
import type { ActivityDeps } from './deps.ts';
import { heartbeating } from './heartbeat.ts';
import { executionCosts } from './costs.ts';
import { untilResolved } from './stream.ts';

export interface StartedRollout {
  id: string;
  fromOrdinal: number;
  text: string;
}

export interface RolloutStep {
  decided: boolean;
  stage: string;
  /** Did anything change since the last step? */
  moved: boolean;
  text: string;
}

export interface RolloutResult {
  id: string;
  promoted: boolean;
  /** Hash of what the decision rests on: settings, ordinals, evidence. */
  decisionHash: string;
  text: string;
}

/** What a rollout's row holds beside its state word. */
export interface RolloutDocument {
  settings: RolloutTerms;
  /** Ordinals from here on are paired. */
  fromOrdinal: number;
  /** Pairs below this ordinal are consumed. */
  consumedTo: number;
  /** The epoch that this rollout's last deployment made. */
  epoch: number;
  process: RolloutState;
  /** (ordinal, e-value for "better") at every consumed chunk, for the report. */
  evidence: { ordinal: number; eValue: number }[];
  history: { stage: string; fromOrdinal: number }[];
  /** Hash of the decision and what it rests on, once it is made. */
  decisionHash?: string;
}

export interface RolloutActivities {
  startRollout(input: RolloutInput & { purpose: string }): Promise<StartedRollout>;
  advanceRollout(input: { project: string; rollout: string; waitMs: number }): Promise<RolloutStep>;
  finishRollout(input: { project: string; rollout: string }): Promise<RolloutResult>;
  abortRollout(input: { project: string; rollout: string; reason: string }): Promise<void>;
}

const reasonOf = (rollout: string): string => `rollout ${rollout}`;
const documentOf = (record: Pick<RolloutRecord, 'document'>): RolloutDocument =>
  record.document as unknown as RolloutDocument;
const asJson = (document: RolloutDocument): JsonObject => document as unknown as JsonObject;

export function createRolloutActivities({ stores }: ActivityDeps): RolloutActivities {
  async function require(project: string, id: string): Promise<RolloutRecord> {
    const record = await stores.rollouts.get(project, id);
    if (record === undefined) throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'rollout', name: id });
    return record;
  }

  async function current(project: string, taskType: string): Promise<Deployment> {
    const deployment = await stores.deployments.current(project, taskType);
    if (deployment === undefined) {
      throw new ChimeraError('CHIMERA_NOT_FOUND', { what: 'deployment', name: taskType });
    }
    return deployment;
  }

  /** Moves the deployment on for this rollout; the same step again returns what it made. */
  async function deploy(
    record: RolloutRecord,
    step: string,
    epoch: number,
    next: Pick<Deployment, 'champion' | 'challenger' | 'stage' | 'share' | 'reason'>,
    details: JsonObject,
  ): Promise<Deployment> {
    return stores.deployments.advance(record.project, record.taskType, epoch, next, {
      decisionId: `${record.id}/${step}`,
      audit: { type: `rollout.${step}`, actor: `rollout/${record.id}`, subject: record.challenger, details },
    });
  }

  /**
   * The document with the deployment that a step of this rollout made, where the step died before it noted it. While a
   * rollout runs nobody else moves the deployment.
   */
  async function caughtUp({ id, project, taskType, document }: RolloutRecord): Promise<RolloutDocument> {
    const noted = documentOf({ document });
    const { epoch, stage, fromOrdinal, reason } = await current(project, taskType);
    if (epoch <= noted.epoch || reason !== reasonOf(id)) return noted;
    return { ...noted, epoch, history: [...noted.history, { stage, fromOrdinal }] };
  }

  return {
    async startRollout(input) {
      const { project, taskType, challenger, purpose, alpha, minimumEffect, cap, shadowTasks, share, seed } = input;
      const before = await current(project, taskType);
      await stores.agents.require(project, challenger);
      const id = hashOf({ project, taskType, challenger, purpose, seed }).slice(0, 32);
      const existing = await stores.rollouts.get(project, id);
      if (existing === undefined && before.stage !== 'full') {
        throw new ChimeraError('CHIMERA_CONFLICT', { what: `a rollout for ${taskType} that is still running` });
      }
      const process = createRollout(rolloutSettings(input));
      const record = await stores.rollouts.create(
        project,
        {
          id,
          taskType,
          champion: before.champion,
          challenger,
          state: 'starting',
          document: asJson({
            settings: { alpha, minimumEffect, cap, shadowTasks, share },
            fromOrdinal: -1,
            consumedTo: -1,
            epoch: before.epoch,
            process,
            evidence: [],
            history: [],
          }),
        },
        {
          type: 'rollout.started',
          actor: `rollout/${id}`,
          subject: challenger,
          details: { champion: before.champion },
        },
      );
      if (record.state === 'starting') {
        const document = documentOf(record);
        const stage = shadowTasks > 0 ? 'shadow' : 'canary';
        const deployment = await deploy(
          record,
          stage,
          document.epoch,
          {
            champion: record.champion,
            challenger,
            stage,
            share: stage === 'canary' ? share : 0,
            reason: reasonOf(id),
          },
          { stage },
        );
        await stores.rollouts.compareAndSet(project, id, record.revision, {
          state: stage,
          document: asJson({
            ...document,
            fromOrdinal: deployment.fromOrdinal,
            consumedTo: deployment.fromOrdinal,
            epoch: deployment.epoch,
            history: [{ stage, fromOrdinal: deployment.fromOrdinal }],
          }),
        });
      }
      failpoint('rollout.started');
      const started = documentOf(await require(project, id));
      return {
        id,
        fromOrdinal: started.fromOrdinal,
        text: `rollout from ordinal ${started.fromOrdinal}: every task is run by both`,
      };
    },

    async advanceRollout({ project, rollout, waitMs }) {
      return heartbeating(async (signal) => {
        const record = await require(project, rollout);
        const document = await caughtUp(record);
        const before = explainRollout(document.process);
        if (before.decision.kind !== 'continue' || record.decidedAt !== undefined) {
          return { decided: true, stage: record.state, moved: false, text: before.text };
        }
        const { taskType, champion, challenger } = record;
        const scored = await untilResolved(stores, project, taskType, document.consumedTo, waitMs, signal);
        if (scored <= document.consumedTo)
          return { decided: false, stage: record.state, moved: false, text: before.text };
        const pairs = await stores.scores.pairs(project, taskType, document.consumedTo, scored, champion, challenger);
        const costs = await executionCosts(stores, project, taskType, document.consumedTo, scored);
        const process = weighPairs(document.process, pairs, record, costs);
        const explained = explainRollout(process);
        const better = explained.evidence.find((line) => line.path === 'better');
        const decided = explained.decision.kind !== 'continue';
        const stage = decided ? record.state : rolloutStage(process);
        const next: RolloutDocument = {
          ...document,
          process,
          consumedTo: scored,
          evidence: [...document.evidence, { ordinal: scored, eValue: better?.eValue ?? 1 }],
        };
        if (stage === 'canary' && document.history.at(-1)?.stage === 'shadow') {
          const { share } = document.settings;
          const deployment = await deploy(
            record,
            'canary',
            document.epoch,
            { champion, challenger, stage: 'canary', share, reason: reasonOf(rollout) },
            { pairs: explained.pairs, wins: explained.wins, losses: explained.losses },
          );
          next.epoch = deployment.epoch;
          next.history = [...document.history, { stage: 'canary', fromOrdinal: deployment.fromOrdinal }];
        }
        try {
          await stores.rollouts.compareAndSet(project, rollout, record.revision, {
            state: stage,
            document: asJson(next),
          });
        } catch (error) {
          // An earlier attempt that was given up for dead has moved the rollout on meanwhile: look again.
          if (!isChimeraError(error, 'CHIMERA_CONFLICT')) throw error;
          return { decided: false, stage: record.state, moved: false, text: before.text };
        }
        failpoint('rollout.advanced');
        return { decided, stage, moved: true, text: explained.text };
      });
    },

    async finishRollout({ project, rollout }) {
      const record = await require(project, rollout);
      const document = await caughtUp(record);
      const explained = explainRollout(document.process);
      if (explained.decision.kind === 'continue') {
        throw new ChimeraError('CHIMERA_INTERNAL', { why: `rollout ${rollout} is not decided` });
      }
      const promoted = explained.decision.kind === 'promote';
      const { champion, challenger } = record;
      const { settings, fromOrdinal, process } = document;
      const { record: decision, hash: decisionHash } = decisionOf(record, settings, fromOrdinal, process);
      const result = { id: rollout, promoted, decisionHash, text: explained.text };
      if (record.decidedAt !== undefined) return result;
      const step = promoted ? 'promoted' : 'rolled-back';
      const details = { decisionHash, text: explained.text, decision: decision as unknown as JsonValue };
      const winner = promoted ? challenger : champion;
      const deployment = await deploy(
        record,
        step,
        document.epoch,
        { champion: winner, stage: 'full', share: 0, reason: `rollout ${rollout}: ${step}` },
        details,
      );
      await stores.rollouts.decide(
        project,
        rollout,
        {
          state: step,
          document: asJson({
            ...document,
            decisionHash,
            epoch: deployment.epoch,
            history: [...document.history, { stage: 'full', fromOrdinal: deployment.fromOrdinal }],
          }),
        },
        { type: `rollout.decided`, actor: `rollout/${rollout}`, subject: challenger, details },
      );
      failpoint('rollout.decided');
      return result;
    },

    async abortRollout({ project, rollout, reason }) {
      const record = await require(project, rollout);
      if (record.decidedAt !== undefined) return;
      const document = await caughtUp(record);
      await deploy(
        record,
        'aborted',
        document.epoch,
        { champion: record.champion, stage: 'full', share: 0, reason: `rollout ${rollout}: ${reason}` },
        { reason },
      );
      await stores.rollouts.decide(
        project,
        rollout,
        { state: 'aborted', document: asJson(document) },
        { type: 'rollout.aborted', actor: `rollout/${rollout}`, subject: record.challenger, details: { reason } },
      );
    },
  };
}
