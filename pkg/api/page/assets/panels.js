// A panel for each of the four metrics: figures that compare with the period before, charts, and the table behind them.

import { behind, chart } from './chart.js';
import { EACH, groupText, periodName } from './choice.js';
import { el, select, table } from './dom.js';
import { count, duration, DURATIONS, percent, rate } from './format.js';
import { delta, figure, tag } from './parts.js';
import { column, mean, share, sum, unripe } from './rows.js';
import { pqlsTable, shareTable, timeTable } from './tables.js';

const COLOURS = 8; // the style sheet's c1 to c8: more lines than that can't be told apart

export const PANELS = [
  { metric: 'pqls', draw: pqlsPanel },
  { metric: 'pql_rate', draw: (c) => sharePanel(c, 'pql_rate', 'qualified', 'signed up') },
  { metric: 'time_to_pql', draw: timePanel },
  { metric: 'pql_to_paid', draw: (c) => sharePanel(c, 'pql_to_paid', 'converted', 'qualified') },
];

function panel({ metric, info, star, beside = null }, ...content) {
  const id = `panel-${metric}`;
  return el(
    'section',
    { class: `panel ${metric}`, 'aria-labelledby': id, 'data-metric': metric },
    el(
      'header',
      {},
      el(
        'div',
        {},
        el('h2', { id }, info.title, ' ', star?.metric === metric && tag('★ north star', 'accent')),
        el('p', { class: 'says' }, info.says),
      ),
      beside,
    ),
    content,
  );
}

const than = (choice) => `the ${periodName(choice)} before`;
const several = (choice) => choice.group === EACH;
const colourOf = (i) => `c${i + 1}`;
const lineGroups = (rows) => rows.groups.slice(0, COLOURS);

function pqlsPanel({ rows, choice, info, star }) {
  return panel(
    { metric: 'pqls', info, star },
    several(choice) ? groupFigures(info.title, rows, choice, (g) => groupPQLs(rows, choice, g)) : pqlsFigures(rows, choice),
    el('div', { class: 'pair' }, currentChart(rows, choice), rawChart(rows, choice)),
    behind(pqlsTable(rows, choice)),
  );
}

function pqlsFigures(rows, choice) {
  const current = last(rows.of('pqls'), 'current_end');
  const ago = last(rows.before.length > 0 ? rows.past('pqls').slice(0, rows.ended) : [], 'current_end');
  const now = (field) => sum(rows.now('pqls'), field);
  const compared = (field, better) => choice.compare && delta(now(field), past(rows, field), { than: than(choice), better });
  return el(
    'div',
    { class: 'figures' },
    figure(
      'PQLs now',
      el('span', { id: 'pqls-current' }, count(current)),
      choice.compare && delta(current, ago, { than: `the number ${periodName(choice)} ago` }),
    ),
    figure('Raw: qualified or again', el('span', { id: 'pqls-raw' }, count(now('raw'))), compared('raw', 1)),
    figure('Left', count(now('outflow')), compared('outflow', -1)),
  );
}

function groupPQLs(rows, choice, group) {
  const raw = sum(rows.now('pqls', '', group), 'raw');
  return {
    text: `${count(last(rows.of('pqls', '', group), 'current_end'))} now, ${count(raw)} raw`,
    change: delta(raw, past(rows, 'raw', group), { than: than(choice) }),
  };
}

// last is a field of the newest row that there is.
const last = (rows, field) => rows.findLast((r) => r)?.[field] ?? null;

// past adds up the period before; null: it is not known as a whole.
const past = (rows, field, group) => (rows.comparable ? sum(rows.past('pqls', '', group), field) : null);

function currentChart(rows, choice) {
  const series = lineGroups(rows).map((g, i) => ({
    label: several(choice) ? groupText(g) : 'PQLs as the window ends',
    kind: several(choice) ? 'line' : 'area',
    colour: colourOf(i),
    values: column(rows.of('pqls', '', g), 'current_end'),
    from: rows.ended,
  }));
  return titled(
    'Current',
    chart({
      says: `PQLs as each window ends, over ${rows.windows.length} windows. The table has the numbers.`,
      labels: rows.labels,
      format: count,
      series: [...series, ...before(rows, choice, 'pqls', '', 'current_end')],
    }),
  );
}

function rawChart(rows, choice) {
  const raw = rows.of('pqls');
  const series = several(choice)
    ? lineGroups(rows).map((g, i) => ({
        label: groupText(g),
        kind: 'line',
        colour: colourOf(i),
        values: column(rows.of('pqls', '', g), 'raw'),
        from: rows.ended,
      }))
    : [
        { label: 'raw', kind: 'bar', colour: 'pale', values: column(raw, 'raw') },
        { label: 'of them for the first time', kind: 'bar', colour: 'c1', values: column(raw, 'first') },
      ];
  return titled(
    'Raw',
    chart({
      says: `Accounts that qualified in each window, over ${rows.windows.length} windows. The table has the numbers.`,
      labels: rows.labels,
      format: count,
      series: [...series, ...before(rows, choice, 'pqls', '', 'raw')],
    }),
  );
}

const titled = (title, content) => el('div', {}, el('h3', {}, title), content);

// before is the line of the period before, where one line is shown.
function before(rows, choice, metric, detail, field) {
  if (!choice.compare || several(choice) || rows.before.length === 0) return [];
  return [{ label: 'period before', kind: 'before', colour: 'muted', values: column(rows.past(metric, detail), field) }];
}

function sharePanel({ rows, choice, params, change, info, star }, metric, counted, of) {
  const details = rows.details(metric);
  const name = `${metric}_days`;
  const usual =
    star?.metric === metric && details.includes(star.detail) ? star.detail : (details[Math.floor((details.length - 1) / 2)] ?? '');
  const detail = details.includes(params.get(name)) ? params.get(name) : usual;
  const beside = select({ id: name, label: 'Within', options: details, value: detail, change: (v) => change({ [name]: v }) });
  const figures = several(choice)
    ? groupFigures(info.title, rows, choice, (g) => shareFigure(rows, choice, metric, detail, g))
    : el(
        'div',
        { class: 'figures' },
        details.map((d) => {
          const { text, below, change: difference } = shareFigure(rows, choice, metric, d);
          return figure(`within ${d}`, el('span', { id: `${metric}-${d}` }, text), el('span', { class: 'small muted' }, below), difference);
        }),
      );
  return panel(
    { metric, info, star, beside },
    figures,
    shareChart(rows, choice, metric, detail),
    behind(shareTable(info, rows, choice, counted, of)),
  );
}

function shareFigure(rows, choice, metric, detail, group) {
  const now = share(rows.now(metric, detail, group)),
    then = share(rows.past(metric, detail, group));
  return {
    text: percent(now.rate),
    below: now.denominator > 0 ? `${count(now.numerator)} of ${count(now.denominator)}, all ripe` : 'nothing has ripened yet',
    change: choice.compare && delta(now.rate, then.rate, { points: true, than: than(choice) }),
  };
}

function shareChart(rows, choice, metric, detail) {
  const lines = lineGroups(rows).map((g, i) => {
    const of = rows.of(metric, detail, g);
    return {
      label: several(choice) ? groupText(g) : `within ${detail}`,
      kind: 'line',
      colour: colourOf(i),
      values: column(of, 'rate'),
      from: unripe(of),
    };
  });
  const of = rows.of(metric, detail);
  const interval = several(choice)
    ? []
    : ['high', 'low'].map((end) => ({ label: end, kind: 'edge', colour: 'c1', values: column(of, end) }));
  return chart({
    says: `The rate within ${detail} in each of ${rows.windows.length} windows, with its 95 % interval. The table has the numbers.`,
    labels: rows.labels,
    format: rate,
    series: [...interval, ...lines, ...before(rows, choice, metric, detail, 'rate')],
  });
}

function timePanel({ rows, choice, info, star }) {
  const metric = 'time_to_pql';
  const meanFigure = (group) => {
    const now = mean(rows.now(metric, '', group));
    return {
      text: duration(now),
      change: choice.compare && delta(now, mean(rows.past(metric, '', group)), { better: -1, than: than(choice) }),
    };
  };
  const ended = rows.now(metric).findLast((r) => r?.count > 0);
  const pooled = meanFigure();
  const figures = several(choice)
    ? groupFigures(info.title, rows, choice, meanFigure)
    : el(
        'div',
        { class: 'figures' },
        figure(`Mean, ${periodName(choice)}`, el('span', { id: 'time-mean' }, pooled.text), pooled.change),
        figure(
          'Median, last full window',
          el('span', { id: 'time-median' }, duration(ended?.p50)),
          el('span', { class: 'small muted' }, ended ? `of ${count(ended.count)}` : 'nobody yet'),
        ),
        figure('90th percentile', duration(ended?.p90)),
      );
  const line = (label, field, i, group) => ({
    label,
    kind: 'line',
    colour: colourOf(i),
    values: column(rows.of(metric, '', group), field),
    from: rows.ended,
  });
  const series = several(choice)
    ? lineGroups(rows).map((g, i) => line(`${groupText(g)}, median`, 'p50', i, g))
    : [line('median', 'p50', 0), line('75th', 'p75', 1), line('90th percentile', 'p90', 2), ...before(rows, choice, metric, '', 'p50')];
  return panel(
    { metric, info, star },
    figures,
    chart({
      says: `Time from sign-up to PQL in each of ${rows.windows.length} windows. The table has the numbers.`,
      labels: rows.labels,
      format: duration,
      ticks: DURATIONS,
      series,
    }),
    behind(timeTable(rows, choice)),
  );
}

// groupFigures is a line for each group, instead of figures.
function groupFigures(title, rows, choice, of) {
  return table({
    caption: `${title} by group`,
    rows: rows.groups,
    columns: [
      {
        head: 'Group',
        key: true,
        cell: (g) => [
          el('span', {
            class: 'key line',
            'aria-hidden': 'true',
            vars: { key: `var(--${colourOf(Math.min(rows.groups.indexOf(g), COLOURS - 1))})` },
          }),
          groupText(g),
        ],
      },
      { head: 'Value', number: true, cell: (g) => of(g).text },
      ...(choice.compare ? [{ head: 'Change', cell: (g) => of(g).change }] : []),
    ],
  });
}
