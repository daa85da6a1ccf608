import { writeFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { EvaluationDocument } from '../../activities/evaluation.ts';
import { renderDemoReport } from '../../report/demo.ts';
import { secondsByLayer } from '../../telemetry/metrics.ts';
import type { Session } from '../session.ts';
import { progressLine } from '../progress-line.ts';
import type { ExitCode } from '../exit-codes.ts';
import { startPlatform, type Platform } from '../platform.ts';
import { untilInterrupted } from '../signals.ts';
import { loadExample, type DemoExample, type ExampleItem } from './example.ts';
import { judge, storeJudge } from './judge.ts';
import { adapterAgents, bringBaseModels, lastModels } from './models.ts';
import { playExample } from './play.ts';
import { createPrinter } from './printer.ts';
import { demoReport } from './report-data.ts';
import { summaryText } from './summary.ts';

const EXAMPLE = 'mail-triage';

export interface DemoOptions {
  readonly session: Session;
  /** End when it is done instead of running on until Ctrl-C. */
  readonly exit: boolean;
  readonly seed: string;
  /** Use so many mails only. */
  readonly mails?: number;
}

/** The whole loop on real data: see the README for what it shows. */
export async function runDemo({ session, exit, seed, mails }: DemoOptions): Promise<ExitCode | void> {
  const { config } = session;
  const interrupted = untilInterrupted();
  const begun = performance.now();
  const printer = createPrinter(session.io);
  const platform = await startPlatform(config, {
    onProgress: (progress) => printer.line(progressLine(progress)),
    signal: interrupted.signal,
  });
  try {
    await bringBaseModels(platform, printer, interrupted.signal);
    const example = await loadExample(EXAMPLE);
    const items = await example.load({ seed, ...(mails === undefined ? {} : { limit: mails }) });
    const name = `${EXAMPLE}/${seed}/${mails ?? 'all'}`;
    await playExample(platform, example, items, {
      seed,
      name,
      signal: interrupted.signal,
      onInstalled: (baseline) =>
        printer.line(`✓ example   ${example.title}; agent ${example.baseline.agent} (${baseline.slice(0, 8)}) serves`),
      onEvent: (event) => printer.event(event, example.noun),
    });
    const models = await lastModels(platform, example.taskType.name);
    const alone = await adapterAgents(platform, example.taskType.name, models);
    const judged = await judgeAll(
      platform,
      example,
      items,
      alone.map(({ version }) => version),
    );
    const layerSeconds = secondsByLayer(await platform.metricsText());
    const report = await demoReport(platform, example, { judged, models, alone, layerSeconds });
    const file = join(config.home, 'reports', `${EXAMPLE}.html`);
    mkdirSync(join(config.home, 'reports'), { recursive: true });
    writeFileSync(file, renderDemoReport(report));
    writeFileSync(file.replace(/html$/, 'json'), `${JSON.stringify(report, null, 2)}\n`);
    printer.line('');
    printer.line(summaryText(report, { file, seconds: (performance.now() - begun) / 1000 }));
    if (!exit) {
      printer.line('\nEverything keeps running. Ctrl-C stops it.');
      await interrupted.promise;
    }
  } finally {
    printer.close();
    await platform.stop();
  }
}

/** Every champion of the stream, the agent that served first, and others, on what nobody served. */
async function judgeAll(
  platform: Platform,
  example: DemoExample,
  items: readonly ExampleItem[],
  others: readonly string[],
): Promise<EvaluationDocument> {
  const { stores, config, temporal } = platform;
  const { project } = config;
  const taskType = example.taskType.name;
  const history = await stores.deployments.history(project, taskType);
  const champions = [...new Set(history.map(({ champion }) => champion))];
  const unseen = items.filter((item) => item.part === 'judge');
  const datasetId = await storeJudge(stores, project, example, unseen);
  return judge(stores, temporal, project, taskType, datasetId, [...champions, ...others]);
}
