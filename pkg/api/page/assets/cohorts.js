// A heat map of shares: a line for each cohort, a column for each number of days.

import { catalogOf, choiceOf, controls, EACH, noMetrics, periodName } from './choice.js';
import { el, select, table } from './dom.js';
import { count, localTime, percent, utc, windowCell } from './format.js';
import { note, page } from './parts.js';
import { cutNote, load, share } from './rows.js';

const METRICS = {
  pql_rate: {
    says: 'Of the accounts that signed up in each window, those that became PQLs within so many days.',
    cohort: 'Signed up',
    size: 'Sign-ups',
  },
  pql_to_paid: {
    says: 'Of the accounts that qualified in each window, those that converted within so many days.',
    cohort: 'Qualified',
    size: 'Qualified',
  },
};
const SHADES = 8;

export async function cohorts({ params, signal, change }) {
  const catalog = await catalogOf(signal);
  if (!catalog) return noMetrics('Cohorts');
  const units = catalog.units.filter((u) => u !== 'hour');
  const choice = choiceOf(catalog, params, units.length > 0 ? units : catalog.units);
  if (choice.group === EACH) choice.group = choice.groups[0] ?? '';
  const metric = params.get('metric') in METRICS ? params.get('metric') : 'pql_rate';
  const rows = await load([metric], choice, signal);
  const which = select({
    id: 'metric',
    label: 'Metric',
    value: metric,
    options: Object.keys(METRICS).map((m) => [m, catalog.metrics.find((i) => i.name === m)?.title ?? m]),
    change: (v) => change({ metric: v === 'pql_rate' ? '' : v }),
  });
  const view = page('Cohorts', METRICS[metric].says, null, controls(catalog, choice, change, { units, each: false, more: [which] }), cutNote(rows));
  if (rows.windows.length === 0) {
    view.append(note('There are no cohorts of this choice yet.'));
    return view;
  }
  view.append(
    el('section', { class: 'panel heat', 'aria-label': 'Heat map' }, heatMap(rows, metric, choice), scale(highest(rows, metric))),
  );
  return view;
}

const highest = (rows, metric) => Math.max(0.05, ...rows.details(metric).flatMap((d) => rows.of(metric, d).map((r) => r?.rate ?? 0)));

function heatMap(rows, metric, choice) {
  const details = rows.details(metric),
    top = highest(rows, metric);
  const cohort = (at) => details.map((d) => rows.of(metric, d)[at]);
  const lines = rows.windows.map((window, at) => ({ window, cells: cohort(at) })).reverse();
  const columns = [
    { head: METRICS[metric].cohort, key: true, cell: (l) => (l.all ? `All ripe, ${periodName(choice)}` : windowCell(l.window)) },
    { head: METRICS[metric].size, number: true, cell: (l) => (l.all ? '' : count(l.cells.find((r) => r)?.denominator ?? 0)) },
    ...details.map((d, i) => ({
      head: `${parseInt(d, 10)} days`,
      class: 'cell',
      cell: (l) => (l.all ? pooled(l.all[i], top) : cell(l.cells[i], top)),
    })),
  ];
  const all = { all: details.map((d) => share(rows.of(metric, d))) };
  return table({
    caption: 'Rates of cohorts',
    rows: [all, ...lines],
    columns,
    rowAttributes: (l) => ({ class: l.all ? 'all' : null, 'data-window': l.window?.window_start }),
  });
}

const shade = (rate, top) => Math.min(SHADES, Math.ceil((rate / top) * SHADES));

function pooled({ rate, numerator, denominator }, top) {
  if (rate === null) return el('span', { class: 'heat-cell none' }, '–');
  return el(
    'span',
    { class: `heat-cell h${shade(rate, top)}` },
    el('b', {}, percent(rate)),
    el('small', {}, `${count(numerator)}/${count(denominator)}`),
  );
}

function cell(row, top) {
  if (!row || row.rate === null) return el('span', { class: 'heat-cell none' }, '–');
  const says = row.mature
    ? null
    : row.mature_at
      ? `Unripe until ${localTime(row.mature_at)} (${utc(row.mature_at)}): it can still grow`
      : 'Still open: it can still grow';
  return el(
    'span',
    { class: `heat-cell h${shade(row.rate, top)}${row.mature ? '' : ' unripe'}`, title: says },
    el('b', {}, percent(row.rate)),
    el('small', {}, `${count(row.numerator)}/${count(row.denominator)}`),
    !row.mature && el('span', { class: 'hidden' }, ' unripe'),
  );
}

function scale(top) {
  return el(
    'p',
    { class: 'scale small muted' },
    '0 %',
    el(
      'span',
      { class: 'shades', 'aria-hidden': 'true' },
      Array.from({ length: SHADES + 1 }, (_, i) => el('i', { class: `h${i}` })),
    ),
    percent(top, 0),
    el('span', { class: 'heat-cell unripe h0 sample', 'aria-hidden': 'true' }),
    'unripe: the number of days has not passed for all of them, the share can still grow',
  );
}
