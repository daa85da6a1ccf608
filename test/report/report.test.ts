import assert from 'node:assert/strict';
import fc from 'fast-check';
import { renderCycleReport } from '../../src/report/cycle.ts';
import { renderDemoReport } from '../../src/report/demo.ts';
import { compact, duration, percent, shortId, tickPercent } from '../../src/report/format.ts';
import { escape, link, markup } from '../../src/report/html.ts';
import { barPlot } from '../../src/report/plots/bars.ts';
import { spreadLabels } from '../../src/report/plots/frame.ts';
import { linePlot } from '../../src/report/plots/line.ts';
import { extent, linear, logarithmic, niceTicks } from '../../src/report/plots/scale.ts';
import { scatterPlot } from '../../src/report/plots/scatter.ts';
import { timeline } from '../../src/report/plots/timeline.ts';
import { sampleCycle, sampleDemo } from './samples.ts';

/** `data` with every text in it replaced; numbers and the words that choose a style stay. */
function poison<T>(data: T, text: string, keep: readonly string[]): T {
  return JSON.parse(
    JSON.stringify(data, (key, value: unknown) => (typeof value === 'string' && !keep.includes(key) ? text : value)),
  ) as T;
}

/** Throws where tags do not nest, or anything but the page's own elements stands in it. */
function checkMarkup(page: string): void {
  const body = page.slice(page.indexOf('<body>'), page.indexOf('</html>'));
  const open: string[] = [];
  for (const [, close, name, rest] of body.matchAll(/<(\/?)([a-z][a-z0-9]*)([^>]*)>/g)) {
    if (close) assert.equal(open.pop(), name, `</${name}> after ${open.slice(-3).join(' ')}`);
    else if (!rest?.endsWith('/')) open.push(name!);
    assert.ok(!['script', 'img', 'iframe', 'link', 'object'].includes(name!), name);
    assert.doesNotMatch(rest ?? '', /\son\w+=/);
  }
  assert.deepEqual(open, []);
  assert.doesNotMatch(page, /NaN|undefined|Infinity|\[object/);
}

describe('reports', () => {
  it('are well-formed, self-contained and the same for the same data', () => {
    for (const page of [renderCycleReport(sampleCycle()), renderDemoReport(sampleDemo())]) {
      checkMarkup(page);
      assert.match(page, /^<!doctype html>\n<html lang="en">/);
      assert.doesNotMatch(page, /(?:src|href)="(?!https?:\/\/127\.0\.0\.1)|@import|url\(/);
      assert.match(page, /prefers-color-scheme:dark/);
    }
    assert.equal(renderDemoReport(sampleDemo()), renderDemoReport(sampleDemo()));
  });

  it('show the figures of the data', () => {
    const demo = renderDemoReport(sampleDemo());
    for (const text of [
      '26.4 points better',
      '98.2 %',
      '97.3 % – 99.1 %',
      '988',
      '11.2 M',
      '704',
      'challenger 2 promoted',
    ])
      assert.ok(demo.includes(text), text);
    const cycle = renderCycleReport(sampleCycle());
    for (const text of [
      'A better agent was found and promoted',
      '34 : 3',
      'promote at 20',
      '1 min 25 s',
      'plateau',
      '<ins>+q =',
    ])
      assert.ok(cycle.includes(text), text);
  });

  it('give every plot a text alternative that says what it shows', () => {
    const page = renderDemoReport(sampleDemo());
    const labels = [...page.matchAll(/<svg [^>]*role="img" aria-label="([^"]+)"/g)].map((match) => match[1]!);
    assert.equal(labels.length, [...page.matchAll(/<svg /g)].length);
    assert.ok(labels.some((label) => /champion 2 98\.2 %/.test(label)));
    assert.ok(labels.some((label) => /champion 1 serves ordinals 2390 to 4639/.test(label)));
  });

  it('let no text of the data become markup, wherever it stands', () => {
    const hostile = `"><script>alert(1)</script><img src=x onerror='alert(2)'>&\u0000\ud800`;
    for (const page of [
      renderCycleReport(poison(sampleCycle(), hostile, ['stage', 'decision'])),
      renderDemoReport(poison(sampleDemo(), hostile, ['kind'])),
    ]) {
      assert.doesNotMatch(page, /<script|<img|onerror='/);
      assert.ok(!page.includes('\u0000') && page.isWellFormed());
      assert.ok(page.includes('&lt;script&gt;'));
    }
  });

  it('stay well-formed for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        checkMarkup(
          renderCycleReport(poison(sampleCycle(), text.replace(/NaN|undefined|Infinity|\[object/g, ''), ['decision'])),
        );
      }),
      { numRuns: 30 },
    );
  });

  it('say what happened when a cycle ended early', () => {
    const { decision, cycleId, project, taskType } = sampleCycle();
    const early = { cycleId, project, taskType, models: [], finalists: [], lineage: [], steps: [] };
    const idle = renderCycleReport({ ...early, decision: { act: false, reason: 'No drift, no new data.' } });
    assert.match(idle, /Nothing asked for a new agent/);
    assert.match(idle, /No drift, no new data\./);
    checkMarkup(idle);
    const stopped = renderCycleReport({ ...early, decision, gate: { passed: false, checks: [] } });
    assert.match(stopped, /The safety gate stopped the challenger/);
    assert.match(renderCycleReport({ ...early, decision }), /No challenger went into a rollout/);
    const rollout = { ...sampleCycle().rollout!, decision: 'rolled back' as const, evidence: [] };
    assert.match(renderCycleReport({ ...early, decision, rollout }), /The challenger was rolled back/);
  });

  it('tell a model that stands alone from the champions, and who asks which model', () => {
    const sample = sampleDemo();
    const alone = { ...sample.agents[0]!, name: 'adapter alone', alone: true };
    const html = renderDemoReport({ ...sample, agents: [...sample.agents, alone] });
    checkMarkup(html);
    assert.match(html, /adapter alone/);
    assert.equal(/<h1[^>]*>([^<]*)/.exec(html)?.[1], /<h1[^>]*>([^<]*)/.exec(renderDemoReport(sample))?.[1]);
    assert.match(html, /minilm-lora[^]*?nobody/);
  });

  it('render a demonstration with nothing in it, and a lineage that loops', () => {
    const empty = { agents: [], models: [], served: [], rolling: [], events: [], layers: [], urls: [], commands: [] };
    checkMarkup(renderDemoReport({ taskType: 't', title: 'empty', judged: 0, ...empty }));
    const looped = {
      ...sampleCycle(),
      lineage: [
        { id: 'a', label: 'A', parents: ['b'] },
        { id: 'b', label: 'B', parents: ['a', 'c'] },
        { id: 'r', label: 'R', parents: ['a'] },
      ],
    };
    checkMarkup(renderCycleReport(looped));
  });

  it('link http addresses only', () => {
    assert.equal(
      link('http://127.0.0.1:8233/x?a=1&b=2', 'UI').markup,
      '<a href="http://127.0.0.1:8233/x?a=1&amp;b=2" rel="noreferrer">UI</a>',
    );
    assert.equal(link('javascript:alert(1)', 'UI').markup, '<span>UI</span>');
  });
});

describe('report plots', () => {
  it('choose round ticks inside the domain', () => {
    assert.deepEqual(niceTicks(0, 1, 5), [0, 0.2, 0.4, 0.6, 0.8, 1]);
    assert.deepEqual(niceTicks(0.71, 0.99, 5), [0.8, 0.9]);
    assert.deepEqual(niceTicks(3, 3, 5), [3]);
    fc.assert(
      fc.property(
        fc.double({ min: -1e6, max: 1e6, noNaN: true }),
        fc.double({ min: 1e-3, max: 1e6, noNaN: true }),
        (low, span) => {
          const ticks = niceTicks(low, low + span, 5);
          assert.ok(ticks.length >= 2 && ticks.length <= 12);
          for (const tick of ticks) assert.ok(tick >= low - span * 1e-6 && tick <= low + span * (1 + 1e-6));
        },
      ),
    );
  });

  it('map a domain onto the page, linearly and by powers of ten', () => {
    assert.equal(linear(10, 20, 0, 100)(15), 50);
    assert.equal(linear(5, 5, 0, 100)(5), 50);
    const log = logarithmic(0.5, 200, 0, 100);
    assert.deepEqual(log.ticks, [0.1, 1, 10, 100, 1000]);
    assert.equal(log(10), 50);
    assert.equal(log(0), 0);
    assert.deepEqual(extent([]), [0, 1]);
    assert.deepEqual(extent([1, 3, Number.NaN], 0.5), [0, 4]);
  });

  it('draw the staircase of the undominated points only', () => {
    const point = (id: string, cost: number, quality: number, chosen = false) => ({ id, cost, quality, chosen });
    const { markup: text } = scatterPlot({
      title: 'front',
      points: [point('a', 0, 0.5), point('b', 10, 0.4), point('c', 20, 0.9, true), point('d', 20, 0.8)],
      costLabel: 'cost',
      qualityLabel: 'quality',
      qualityFormat: percent,
    });
    assert.match(text, /4 candidates, 2 on the front\. chosen c: 90\.0 % at 20/);
    assert.equal([...text.matchAll(/dot behind/g)].length, 2);
    assert.equal([...(/class="line front" d="([^"]*)"/.exec(text)?.[1] ?? '').matchAll(/V/g)].length, 1);
  });

  it('draw bands, single points and marks, and skip what is not a number', () => {
    const { markup: text } = linePlot({
      title: 'line',
      xLabel: 'x',
      yLabel: 'y',
      series: [
        {
          name: 'banded',
          points: [
            { x: 0, y: 1, low: 0, high: 2 },
            { x: 1, y: Number.NaN },
            { x: 2, y: 1, low: 0, high: 2 },
          ],
        },
        { name: 'single', points: [{ x: 1, y: 1 }] },
        { name: 'nothing', points: [] },
      ],
      marks: [{ x: 1, key: 'A', kind: 'drift' }],
    });
    assert.match(text, /class="band s0"/);
    assert.match(text, /class="dot s1"/);
    assert.match(text, /class="mark drift"/);
    assert.doesNotMatch(text, /nothing|NaN/);
  });

  it('keep labels and letters from covering each other', () => {
    assert.deepEqual(spreadLabels([10, 12, 40], 15), [10, 25, 40]);
    assert.deepEqual(spreadLabels([12, 10], 15), [25, 10]);
    const { markup: text } = timeline({
      title: 'stream',
      domain: [0, 1000],
      spans: [{ from: 0, to: 1000, label: 'agent', style: 0 }],
      marks: [1, 2, 900].map((x) => ({ x, key: String(x), kind: 'cycle' })),
    });
    const rows = [...text.matchAll(/class="chip cycle" cx="[^"]*" cy="([^"]*)"/g)].map((match) => match[1]);
    assert.equal(new Set(rows).size, 2);
    assert.equal(rows[0], rows[2]);
  });

  it('draw amounts from zero', () => {
    const { markup: text } = barPlot({
      title: 'time',
      format: duration,
      rows: [
        { label: 'a', value: 10 },
        { label: 'b', value: 5 },
        { label: 'c', value: 0 },
      ],
    });
    const [a, b] = [...text.matchAll(/width="([^"]*)" height="20"/g)].map((match) => Number(match[1]));
    assert.ok(Math.abs(a! / b! - 2) < 0.01);
  });

  it('write numbers as people read them', () => {
    assert.deepEqual(
      [compact(0), compact(0.012345), compact(1234.5), compact(9.7e6), compact(Number.NaN)],
      ['0', '0.0123', '1,235', '9.7 M', '–'],
    );
    assert.deepEqual(
      [duration(0.42), duration(12.34), duration(245), duration(7800), duration(Infinity)],
      ['0.42 s', '12.3 s', '4 min 05 s', '2 h 10 min', '–'],
    );
    assert.deepEqual(
      [percent(0.9744), percent(Number.NaN), tickPercent(0.9), tickPercent(0.925)],
      ['97.4 %', '–', '90 %', '92.5 %'],
    );
    assert.deepEqual([shortId('ab'.repeat(32)), shortId('champion 1')], ['abababababab', 'champion 1']);
    assert.equal(escape(`<a href='x'>&"`), '&lt;a href=&#39;x&#39;&gt;&amp;&quot;');
    assert.equal(markup`<b>${[markup`<i>${'<'}</i>`, 1, undefined]}</b>`.markup, '<b><i>&lt;</i>1</b>');
  });
});
