import type { JsonObject } from '../contracts/records.ts';

/** What the reports show. Plain JSON: the `.json` twin of a report is this object as it is. */

/** A figure with its 95 % interval. */
export interface Estimate {
  value: number;
  low: number;
  high: number;
}

export interface CycleReport {
  cycleId: string;
  project: string;
  taskType: string;
  /** ISO 8601; shown, never hashed. */
  startedAt?: string;
  decision: { act: boolean; reason: string };
  dataset?: {
    id: string;
    version: number;
    counts: { train: number; validation: number; test: number };
    datasheet: JsonObject;
  };
  models: { name: string; price: number; metrics: Record<string, number> }[];
  search?: {
    stoppedBy: string;
    evaluations: number;
    generations: {
      generation: number;
      bestQuality: number;
      medianQuality: number;
      frontSize: number;
      evaluations: number;
    }[];
    /** Cost is model calls, or what the task type counts, per 1,000 tasks. */
    front: { id: string; quality: number; cost: number; chosen: boolean }[];
  };
  /** Judged once, on data no generation saw. */
  finalists: { id: string; quality: Estimate; cost: number; chosen: boolean }[];
  gate?: { passed: boolean; checks: { name: string; passed: boolean; detail: string }[] };
  rollout?: {
    alpha: number;
    stages: { stage: string; fromOrdinal: number; text: string }[];
    evidence: { ordinal: number; eValue: number }[];
    /** Discordant pairs: the challenger right and the champion wrong, and the other way round. */
    wins: number;
    losses: number;
    decision: 'promoted' | 'rolled back' | 'undecided';
    text: string;
  };
  champion?: {
    id: string;
    /** The genome as a readable program. */
    program: string;
    /** Lines that begin with `+` or `-` were added or removed against the parent. */
    diff?: string;
  };
  lineage: { id: string; label: string; parents: string[] }[];
  /** In the order in which the steps ran. */
  steps: { step: string; seconds: number }[];
}

export interface DemoReport {
  taskType: string;
  title: string;
  /** Tasks the agents were judged on, which none of them had served. */
  judged: number;
  /** In the order of their deployment. */
  agents: {
    name: string;
    /** It only puts tasks to a model and never served: a measure of that model. */
    alone?: boolean;
    accuracy: Estimate;
    balancedAccuracy: Estimate;
    f1: Estimate;
    fuelPer1000: number;
    modelCallsPer1000: number;
  }[];
  /** What evolution was offered last: balanced accuracy on validation, price of a call in calls of the cheapest one. */
  models: { name: string; price: number; balancedAccuracy: number; askedBy: string[] }[];
  /** Who served which ordinals, `to` exclusive; `agent` is a name above. */
  served: { agent: string; from: number; to: number }[];
  rolling: { agent: string; points: { ordinal: number; accuracy: number; low?: number; high?: number }[] }[];
  drift?: { name: string; threshold: number; points: { ordinal: number; statistic: number }[] };
  events: { ordinal: number; kind: 'deployment' | 'drift' | 'cycle' | 'rollout'; text: string }[];
  confusion?: { agent: string; labels: string[]; counts: number[][] }[];
  layers: { layer: string; seconds: number }[];
  urls: { label: string; url: string }[];
  /** To paste into a shell. */
  commands: { title: string; command: string }[];
}
