import type { DemoReport, Estimate } from './data.ts';
import { compact, duration, percent, tickPercent } from './format.ts';
import type { Html } from './html.ts';
import { link, markup } from './html.ts';
import { FOOTER, page, plotFigure, section, table } from './page.ts';
import { barPlot } from './plots/bars.ts';
import { WIDTH, textWidth } from './plots/frame.ts';
import { intervalPlot } from './plots/intervals.ts';
import { linePlot } from './plots/line.ts';
import { confusionMatrix } from './plots/matrix.ts';
import { timeline } from './plots/timeline.ts';

/** The report of a whole demonstration as one HTML file. A pure function of its data: same data, same bytes. */
export function renderDemoReport(data: DemoReport): string {
  const first = data.agents[0];
  const last = data.agents.findLast(({ alone }) => alone !== true);
  const gain = first && last ? last.balancedAccuracy.value - first.balancedAccuracy.value : Number.NaN;
  return page({
    eyebrow: `Chimera · ${data.title}`,
    headline: gain > 0 ? `${(gain * 100).toFixed(1)} points better, on data nobody had served` : 'What the loop did',
    lede: `${data.agents.length} agents, judged on the same ${grouped(data.judged)} tasks of ${data.taskType}, which none had served or learnt from.`,
    figures: data.agents.map((agent) => ({
      name: agent.name,
      value: percent(agent.balancedAccuracy.value),
      note: 'balanced accuracy',
    })),
    body: [judgePart(data), modelsPart(data), streamPart(data), confusionPart(data), timePart(data), nextPart(data)],
    footer: FOOTER,
  });
}

const METRICS = [
  ['Balanced accuracy', 'balancedAccuracy'],
  ['Accuracy', 'accuracy'],
  ['F1', 'f1'],
] as const;

function judgePart({ agents }: DemoReport): Html {
  const cell = (estimate: Estimate): Html =>
    markup`${percent(estimate.value)}<small>${percent(estimate.low)} – ${percent(estimate.high)}</small>`;
  return section(
    'The judge',
    'The last part of the stream was kept closed until the end, then opened once for all of them.',
    plotFigure(
      'Quality',
      'with 95 % intervals',
      intervalPlot({
        title: 'Quality of the agents on the judge part',
        format: (value) => percent(value),
        tickFormat: tickPercent,
        groups: METRICS.map(([name, metric]) => ({
          name,
          rows: agents.map((agent, style) => ({ label: agent.name, style, ...agent[metric] })),
        })),
      }),
    ),
    markup`<h3>Quality and cost</h3>`,
    table(
      ['agent', ...METRICS.map(([name]) => name), 'fuel per 1,000', 'model calls per 1,000'],
      agents.map((agent, index) => ({
        chosen: index === agents.findLastIndex(({ alone }) => alone !== true),
        cells: [
          agent.name,
          ...METRICS.map(([, metric]) => cell(agent[metric])),
          compact(agent.fuelPer1000),
          compact(agent.modelCallsPer1000),
        ],
      })),
    ),
  );
}

function modelsPart({ models }: DemoReport): Html | undefined {
  if (models.length === 0) return undefined;
  return section(
    'The models',
    'What the last cycle trained. Evolution weighs an answer against its price; an adapter that a cheaper model equals is not offered to it.',
    table(
      ['model', 'balanced accuracy on validation', 'price of a call', 'asked by'],
      models.map(({ name, balancedAccuracy, price, askedBy }) => ({
        chosen: askedBy.length > 0,
        cells: [name, percent(balancedAccuracy), String(price), askedBy.join(', ') || 'nobody'],
      })),
    ),
  );
}

function streamPart(data: DemoReport): Html {
  const style = (agent: string): number =>
    Math.max(
      0,
      data.agents.findIndex(({ name }) => name === agent),
    );
  const events = data.events.toSorted((a, b) => a.ordinal - b.ordinal);
  const marks = events.map((event, index) => ({ x: event.ordinal, key: letter(index), kind: event.kind }));
  const ends = [
    ...data.served.flatMap((span) => [span.from, span.to]),
    ...data.rolling.flatMap(({ points }) => points.map((point) => point.ordinal)),
  ];
  const domain = [Math.min(...ends, Infinity), Math.max(...ends, -Infinity)] as const;
  const xDomain = Number.isFinite(domain[0]) ? domain : ([0, 1] as const);
  // The three plots share one x: the names at the ends of the lines decide how wide it is.
  const names = [...data.rolling.map(({ agent }) => agent), data.drift?.name ?? ''];
  const right = WIDTH - Math.max(16, ...names.map((name) => textWidth(name) + 16));
  return section(
    'The stream',
    'Tasks in the order in which they were admitted. Letters mark what happened where.',
    plotFigure(
      'Who served',
      '',
      timeline({
        title: 'Who served the stream',
        domain: xDomain,
        right,
        spans: data.served.map((span) => ({ ...span, label: span.agent, style: style(span.agent) })),
        marks,
      }),
    ),
    plotFigure(
      'Rolling accuracy',
      'of what was answered',
      linePlot({
        title: 'Rolling accuracy by ordinal',
        xLabel: 'ordinal',
        yLabel: 'accuracy',
        yFormat: tickPercent,
        xDomain,
        right,
        marks,
        series: data.rolling.map(({ agent, points }) => ({
          name: agent,
          style: style(agent),
          points: points.map(({ ordinal, accuracy, ...band }) => ({ x: ordinal, y: accuracy, ...band })),
        })),
      }),
    ),
    data.drift &&
      plotFigure(
        'Drift',
        'an alarm where the statistic crosses its threshold',
        linePlot({
          title: 'Drift statistic by ordinal',
          xLabel: 'ordinal',
          yLabel: data.drift.name,
          xDomain,
          right,
          height: 190,
          marks,
          levels: [{ y: data.drift.threshold, label: 'alarm' }],
          series: [
            {
              name: '',
              style: 3,
              points: data.drift.points.map(({ ordinal, statistic }) => ({ x: ordinal, y: statistic })),
            },
          ],
        }),
      ),
    markup`<ol class="keys">${events.map(
      (event, index) =>
        markup`<li class="${event.kind}"><b>${letter(index)}</b><span>${grouped(event.ordinal)}</span>${event.text}</li>`,
    )}</ol>`,
  );
}

const grouped = (count: number): string => count.toLocaleString('en-US');

/** A, B, …, Z, AA, AB, … */
function letter(index: number): string {
  const last = String.fromCharCode(65 + (index % 26));
  return index < 26 ? last : letter(Math.floor(index / 26) - 1) + last;
}

function confusionPart({ confusion = [] }: DemoReport): Html | undefined {
  if (confusion.length === 0) return undefined;
  return section(
    'Right and wrong',
    'Rows are the right answers, columns what the agent said.',
    markup`<div class="matrices">${confusion.map(({ agent, ...rest }) => confusionMatrix({ title: agent, ...rest }))}</div>`,
  );
}

function timePart({ layers }: DemoReport): Html {
  return section(
    'Where the time went',
    'Work that ran at the same time is added up.',
    plotFigure(
      'Seconds per layer',
      '',
      barPlot({
        title: 'Seconds per layer',
        format: duration,
        rows: layers.map(({ layer, seconds }) => ({ label: layer, value: seconds })),
      }),
    ),
  );
}

function nextPart({ urls, commands }: DemoReport): Html | undefined {
  if (urls.length === 0 && commands.length === 0) return undefined;
  return section(
    'Go on from here',
    '',
    markup`<ul>${urls.map(({ label, url }) => markup`<li>${link(url, label)}: <code>${url}</code></li>`)}</ul>`,
    commands.map(({ title, command }) => markup`<h3>${title}</h3><pre tabindex="0">${command}</pre>`),
  );
}
