import type { CycleReport } from './data.ts';
import { compact, duration, percent, shortId, tickPercent } from './format.ts';
import type { Html } from './html.ts';
import { markup } from './html.ts';
import type { KeyFigure } from './page.ts';
import { FOOTER, diff, page, pairs, plotFigure, section, state, table } from './page.ts';
import { barPlot } from './plots/bars.ts';
import { intervalPlot } from './plots/intervals.ts';
import { linePlot } from './plots/line.ts';
import { scatterPlot } from './plots/scatter.ts';

/** The report of one evolution cycle as one HTML file. A pure function of its data: same data, same bytes. */
export function renderCycleReport(data: CycleReport): string {
  const started = data.startedAt === undefined ? '' : `, started ${data.startedAt}`;
  return page({
    eyebrow: `Chimera · evolution cycle · ${data.project} / ${data.taskType}`,
    headline: headline(data),
    lede: data.rollout?.text ?? data.decision.reason,
    figures: keyFigures(data),
    body: [
      data.dataset && datasetPart(data.dataset),
      data.models.length > 0 ? modelsPart(data.models) : undefined,
      data.search && searchPart(data.search),
      data.finalists.length > 0 ? finalistsPart(data) : undefined,
      data.rollout && rolloutPart(data.rollout),
      data.champion && championPart(data.champion),
      data.lineage.length > 0 ? lineagePart(data.lineage) : undefined,
      data.steps.length > 0 ? timePart(data.steps) : undefined,
    ],
    footer: `Cycle ${data.cycleId}${started}. ${FOOTER}`,
  });
}

function headline(data: CycleReport): string {
  if (!data.decision.act) return 'Nothing asked for a new agent';
  if (data.gate && !data.gate.passed) return 'The safety gate stopped the challenger';
  switch (data.rollout?.decision) {
    case 'promoted':
      return 'A better agent was found and promoted';
    case 'rolled back':
      return 'The challenger was rolled back';
    case 'undecided':
      return 'The rollout has not decided yet';
    case undefined:
      return 'No challenger went into a rollout';
  }
}

function keyFigures(data: CycleReport): KeyFigure[] {
  const chosen = data.finalists.find((finalist) => finalist.chosen);
  const figures: (KeyFigure | undefined)[] = [
    chosen && {
      name: 'Held-out quality',
      value: percent(chosen.quality.value),
      note: `${percent(chosen.quality.low)} – ${percent(chosen.quality.high)}`,
    },
    data.rollout && {
      name: 'Won : lost',
      value: `${compact(data.rollout.wins)} : ${compact(data.rollout.losses)}`,
      note: 'pairs on live tasks',
    },
    data.dataset && {
      name: 'Examples',
      value: compact(data.dataset.counts.train + data.dataset.counts.validation + data.dataset.counts.test),
      note: `dataset version ${data.dataset.version}`,
    },
    data.search && {
      name: 'Evaluations',
      value: compact(data.search.evaluations),
      note: `${data.search.generations.length} generations`,
    },
    data.steps.length > 0
      ? { name: 'Time', value: duration(data.steps.reduce((sum, { seconds }) => sum + seconds, 0)), note: 'all steps' }
      : undefined,
  ];
  return figures.filter((figure) => figure !== undefined);
}

function datasetPart({ id, version, counts, datasheet }: NonNullable<CycleReport['dataset']>): Html {
  return section(
    'The data',
    `Version ${version}, content hash ${shortId(id)}. Split by ordinal, so that later data never teaches about earlier.`,
    table(
      ['split', 'examples', 'used for'],
      [
        { cells: ['train', compact(counts.train), 'models'] },
        { cells: ['validation', compact(counts.validation), 'fitness of candidates'] },
        { cells: ['test', compact(counts.test), 'the finalists, opened once'] },
      ],
      [2],
    ),
    markup`<details><summary>Datasheet</summary>${pairs(datasheet)}</details>`,
  );
}

function modelsPart(models: CycleReport['models']): Html {
  const names = [...new Set(models.flatMap((model) => Object.keys(model.metrics)))];
  return section(
    'Models trained',
    'Agents ask these by name; the price is what one call counts.',
    table(
      ['model', 'price of a call', ...names],
      models.map((model) => ({
        cells: [
          model.name,
          compact(model.price),
          ...names.map((name) => {
            const value = model.metrics[name];
            return value === undefined ? '–' : compact(value);
          }),
        ],
      })),
    ),
  );
}

function searchPart(search: NonNullable<CycleReport['search']>): Html {
  const series = (name: string, style: number, pick: (g: (typeof search.generations)[number]) => number) => ({
    name,
    style,
    points: search.generations.map((g) => ({ x: g.generation, y: pick(g) })),
  });
  return section(
    'The search',
    `${compact(search.evaluations)} evaluations in ${search.generations.length} generations; stopped by ${search.stoppedBy}.`,
    plotFigure(
      'Quality by generation',
      'on the validation split',
      linePlot({
        title: 'Quality by generation',
        xLabel: 'generation',
        yLabel: 'quality',
        yFormat: tickPercent,
        series: [series('median', 0, (g) => g.medianQuality), series('best', 2, (g) => g.bestQuality)],
      }),
    ),
    plotFigure(
      'The front',
      'nothing cheaper is better than what stands on the line',
      scatterPlot({
        title: 'Quality against cost',
        points: search.front.map((candidate) => ({ ...candidate, id: shortId(candidate.id) })),
        costLabel: 'cost per 1,000 tasks',
        qualityLabel: 'quality',
        qualityFormat: tickPercent,
      }),
    ),
    markup`<details><summary>Generations as a table</summary>${table(
      ['generation', 'best', 'median', 'front', 'evaluations'],
      search.generations.map((g) => ({
        cells: [g.generation, percent(g.bestQuality), percent(g.medianQuality), g.frontSize, compact(g.evaluations)],
      })),
    )}</details>`,
  );
}

function finalistsPart({ finalists, gate }: CycleReport): Html {
  const checks = gate?.checks.map((check) => ({
    cells: [check.name, state(check.passed ? 'passed' : 'failed', check.passed ? 'yes' : 'no'), check.detail],
  }));
  return section(
    'The finalists',
    'Judged once, on the test split that no generation saw.',
    plotFigure(
      'Held-out quality',
      'with 95 % intervals',
      intervalPlot({
        title: 'Held-out quality of the finalists',
        format: (value) => percent(value),
        tickFormat: tickPercent,
        groups: [
          {
            name: '',
            rows: finalists.map((finalist) => ({
              label: shortId(finalist.id),
              style: finalist.chosen ? 2 : 0,
              ...finalist.quality,
            })),
          },
        ],
      }),
    ),
    table(
      ['finalist', 'quality', 'cost per 1,000', ''],
      finalists.map((finalist) => ({
        chosen: finalist.chosen,
        cells: [
          shortId(finalist.id),
          percent(finalist.quality.value),
          compact(finalist.cost),
          finalist.chosen ? 'chosen' : '',
        ],
      })),
      [3],
    ),
    checks && markup`<h3>Safety gate</h3>${table(['check', 'result', 'detail'], checks, [1, 2])}`,
  );
}

function rolloutPart(rollout: NonNullable<CycleReport['rollout']>): Html {
  const kind = { promoted: 'yes', 'rolled back': 'no', undecided: 'open' } as const;
  const { wins, losses } = rollout;
  const score = `after ${compact(wins + losses)} discordant pairs: ${compact(wins)} won, ${compact(losses)} lost.`;
  return section(
    'The rollout',
    'Both versions ran on every task. The e-value grows with each pair that speaks for the challenger; at 1/α it is promoted.',
    markup`<p>${state(rollout.decision, kind[rollout.decision])} ${score}</p>`,
    plotFigure(
      'Evidence for the challenger',
      'e-value on a logarithmic scale',
      linePlot({
        title: 'Evidence for the challenger',
        xLabel: 'ordinal',
        yLabel: 'e-value',
        logY: true,
        series: [
          {
            name: 'e-value',
            style: 2,
            points: rollout.evidence.map(({ ordinal, eValue }) => ({ x: ordinal, y: eValue })),
          },
        ],
        levels: [{ y: 1 / rollout.alpha, label: `promote at ${compact(1 / rollout.alpha)}` }],
      }),
    ),
    table(
      ['stage', 'from ordinal', 'why'],
      rollout.stages.map((stage) => ({ cells: [stage.stage, stage.fromOrdinal.toLocaleString('en-US'), stage.text] })),
      [2],
    ),
  );
}

function championPart({ id, program, diff: changes }: NonNullable<CycleReport['champion']>): Html {
  return section(
    'The agent as a program',
    `Version ${shortId(id)}: what it does, in the order in which it does it.`,
    markup`<pre tabindex="0">${program}</pre>`,
    changes && markup`<h3>Changes to its parent</h3>${diff(changes)}`,
  );
}

function lineagePart(lineage: CycleReport['lineage']): Html {
  const byId = new Map(lineage.map((node) => [node.id, node]));
  const parents = new Set(lineage.flatMap((node) => node.parents));
  const shown = new Set<string>();
  const branch = (id: string): Html => {
    const node = byId.get(id);
    const name = markup`<code>${shortId(id)}</code> ${node?.label}`;
    // Shared ancestors are drawn once; a lineage that loops cannot hang the report.
    if (shown.has(id)) return markup`<li>${name} (above)</li>`;
    shown.add(id);
    const below = node?.parents ?? [];
    const nested = below.length > 0 ? markup`<ul>${below.map(branch)}</ul>` : '';
    return markup`<li>${name}${nested}</li>`;
  };
  const roots = lineage.filter((node) => !parents.has(node.id)).map((node) => branch(node.id));
  return section(
    'Where it comes from',
    'Each line stands on those beneath it.',
    markup`<ul class="tree">${roots}</ul>`,
  );
}

function timePart(steps: CycleReport['steps']): Html {
  return section(
    'Where the time went',
    '',
    plotFigure(
      'Seconds per step',
      '',
      barPlot({
        title: 'Seconds per step',
        format: duration,
        rows: steps.map(({ step, seconds }) => ({ label: step, value: seconds })),
      }),
    ),
  );
}
