// A panel for each of the four metrics: figures that compare with the period before, charts, and the table behind them.

import { behind, chart } from './chart.js';
import { EACH, groupText, periodName } from './choice.js';
import { el, select, table } from './dom.js';
import { count, duration, localTime, percent, rate, windowCell } from './format.js';
import { delta, figure, tag } from './parts.js';
import { column, mean, share, sum, unripe } from './rows.js';

const COLOURS = 8; // the style sheet's c1 to c8: more lines than that can't be told apart

export const PANELS = [
  { metric: 'pqls', draw: pqlsPanel },
  { metric: 'pql_rate', draw: (c) => sharePanel(c, 'pql_rate', 'qualified', 'signed up') },
  { metric: 'time_to_pql', draw: timePanel },
  { metric: 'pql_to_paid', draw: (c) => sharePanel(c, 'pql_to_paid', 'converted', 'qualified') },
];

function panel({ metric, info, star, beside = null }, ...content) {
  const id = `panel-${metric}`;
  return el('section', { class: `panel ${metric}`, 'aria-labelledby': id, 'data-metric': metric },
    el('header', {}, el('div', {}, el('h2', { id }, info.title, ' ', star?.metric === metric && tag('★ north star', 'accent')), el('p', { class: 'says' }, info.says)), beside), content);
}

const than = (choice) => `the ${periodName(choice)} before`;
const several = (choice) => choice.group === EACH;
const colourOf = (i) => `c${i + 1}`;
const lineGroups = (rows) => rows.groups.slice(0, COLOURS);

function pqlsPanel({ rows, choice, info, star }) {
  const now = rows.of('pqls');
  const figures = several(choice) ? groupFigures(rows, choice, (g) => {
    const [a, b] = [rows.now('pqls', '', g), rows.past('pqls', '', g).slice(0, rows.ended)];
    return { text: `${count(last(rows.of('pqls', '', g), 'current_end'))} now, ${count(sum(a, 'raw'))} new`, change: delta(sum(a, 'raw'), sumOrNull(b, 'raw'), { than: than(choice) }) };
  }) : el('div', { class: 'figures' },
    figure('PQLs now', el('span', { id: 'pqls-current' }, count(last(now, 'current_end'))), choice.compare && delta(last(now, 'current_end'), last(rows.before.length > 0 ? rows.past('pqls').slice(0, rows.ended) : [], 'current_end'), { than: `${periodName(choice)} ago` })),
    figure('Raw: qualified or again', el('span', { id: 'pqls-raw' }, count(sum(rows.now('pqls'), 'raw'))), choice.compare && delta(sum(rows.now('pqls'), 'raw'), sumOrNull(rows.past('pqls'), 'raw'), { than: than(choice) })),
    figure('Left', count(sum(rows.now('pqls'), 'outflow')), choice.compare && delta(sum(rows.now('pqls'), 'outflow'), sumOrNull(rows.past('pqls'), 'outflow'), { than: than(choice), better: -1 })));
  return panel({ metric: 'pqls', info, star }, figures, el('div', { class: 'pair' }, currentChart(rows, choice), rawChart(rows, choice)), behind(pqlsTable(rows, choice)));
}

const last = (rows, field) => rows.findLast((r) => r)?.[field] ?? null;
const sumOrNull = (rows, field) => (rows.some((r) => r) ? sum(rows, field) : null);

function currentChart(rows, choice) {
  const series = lineGroups(rows).map((g, i) => ({
    label: several(choice) ? groupText(g) : 'PQLs as the window ends', kind: several(choice) ? 'line' : 'area', colour: colourOf(i), values: column(rows.of('pqls', '', g), 'current_end'), from: rows.ended,
  }));
  return titled('Current', chart({ says: `PQLs as each window ends, over ${rows.windows.length} windows. The table has the numbers.`, labels: rows.labels, format: count, series: [...series, ...before(rows, choice, 'pqls', '', 'current_end')] }));
}

function rawChart(rows, choice) {
  const raw = rows.of('pqls');
  const series = several(choice)
    ? lineGroups(rows).map((g, i) => ({ label: groupText(g), kind: 'line', colour: colourOf(i), values: column(rows.of('pqls', '', g), 'raw'), from: rows.ended }))
    : [{ label: 'raw', kind: 'bar', colour: 'c2', values: column(raw, 'raw') }, { label: 'of them for the first time', kind: 'bar', colour: 'c1', values: column(raw, 'first') }];
  return titled('Raw', chart({ says: `Accounts that qualified in each window, over ${rows.windows.length} windows. The table has the numbers.`, labels: rows.labels, format: count, series: [...series, ...before(rows, choice, 'pqls', '', 'raw')] }));
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
  const usual = star?.metric === metric && details.includes(star.detail) ? star.detail : details[Math.floor((details.length - 1) / 2)] ?? '';
  const detail = details.includes(params.get(name)) ? params.get(name) : usual;
  const beside = select({ id: name, label: 'Within', options: details, value: detail, change: (v) => change({ [name]: v }) });
  const figures = several(choice) ? groupFigures(rows, choice, (g) => shareFigure(rows, choice, metric, detail, g))
    : el('div', { class: 'figures' }, details.map((d) => {
      const { text, below, change: difference } = shareFigure(rows, choice, metric, d);
      return figure(`within ${d}`, el('span', { id: `${metric}-${d}` }, text), el('span', { class: 'small muted' }, below), difference);
    }));
  return panel({ metric, info, star, beside }, figures, shareChart(rows, choice, metric, detail), behind(shareTable(rows, choice, metric, counted, of)));
}

function shareFigure(rows, choice, metric, detail, group) {
  const now = share(rows.now(metric, detail, group)), past = share(rows.past(metric, detail, group));
  return {
    text: percent(now.rate), below: now.denominator > 0 ? `${count(now.numerator)} of ${count(now.denominator)}, all ripe` : 'nothing has ripened yet',
    change: choice.compare && delta(now.rate, past.rate, { points: true, than: than(choice) }),
  };
}

function shareChart(rows, choice, metric, detail) {
  const lines = lineGroups(rows).map((g, i) => {
    const of = rows.of(metric, detail, g);
    return { label: several(choice) ? groupText(g) : `within ${detail}`, kind: 'line', colour: colourOf(i), values: column(of, 'rate'), from: unripe(of) };
  });
  const of = rows.of(metric, detail);
  const interval = several(choice) ? [] : ['low', 'high'].map((end) => ({ label: end, kind: 'edge', colour: 'c1', values: column(of, end) }));
  return chart({ says: `The rate within ${detail} in each of ${rows.windows.length} windows, with its 95 % interval. The table has the numbers.`, labels: rows.labels, format: rate, series: [...interval, ...lines, ...before(rows, choice, metric, detail, 'rate')] });
}

function timePanel({ rows, choice, info, star }) {
  const metric = 'time_to_pql';
  const meanFigure = (group) => {
    const now = mean(rows.now(metric, '', group));
    return { text: duration(now), change: choice.compare && delta(now, mean(rows.past(metric, '', group)), { better: -1, than: than(choice) }) };
  };
  const ended = rows.now(metric).findLast((r) => r?.count > 0);
  const pooled = meanFigure();
  const figures = several(choice) ? groupFigures(rows, choice, meanFigure) : el('div', { class: 'figures' },
    figure(`Mean, ${periodName(choice)}`, el('span', { id: 'time-mean' }, pooled.text), pooled.change),
    figure('Median, last full window', el('span', { id: 'time-median' }, duration(ended?.p50)), el('span', { class: 'small muted' }, ended ? `of ${count(ended.count)}` : 'nobody yet')),
    figure('90th percentile', duration(ended?.p90)));
  const line = (label, field, i, group) => ({ label, kind: 'line', colour: colourOf(i), values: column(rows.of(metric, '', group), field), from: rows.ended });
  const series = several(choice) ? lineGroups(rows).map((g, i) => line(`${groupText(g)}, median`, 'p50', i, g))
    : [line('median', 'p50', 0), line('75th', 'p75', 1), line('90th percentile', 'p90', 2), ...before(rows, choice, metric, '', 'p50')];
  return panel({ metric, info, star }, figures,
    chart({ says: `Time from sign-up to PQL in each of ${rows.windows.length} windows. The table has the numbers.`, labels: rows.labels, format: duration, series }), behind(timeTable(rows, choice)));
}

// groupFigures is a line for each group, instead of figures.
function groupFigures(rows, choice, of) {
  return table({
    caption: 'By group', rows: rows.groups, columns: [
      { head: 'Group', key: true, cell: (g) => [el('span', { class: 'key line', 'aria-hidden': 'true', vars: { key: `var(--${colourOf(Math.min(rows.groups.indexOf(g), COLOURS - 1))})` } }), groupText(g)] },
      { head: 'Value', number: true, cell: (g) => of(g).text }, ...(choice.compare ? [{ head: 'Change', cell: (g) => of(g).change }] : []),
    ],
  });
}

// lines are a table's rows: one for each window, group and detail that there is a row of, the newest window first.
function lines(rows, metric) {
  return rows.groups.flatMap((g) => rows.details(metric).flatMap((d) => rows.of(metric, d, g))).filter(Boolean).sort((a, b) => b.window_start - a.window_start);
}

const windowColumn = { head: 'Window', key: true, cell: windowCell };
const groupColumn = (choice) => (several(choice) ? [{ head: 'Group', cell: (r) => groupText(r.group) }] : []);
const numbers = (fields, format) => fields.map(([head, field]) => ({ head, number: true, cell: (r) => format(r[field]) }));

const finality = { head: 'How final', cell: (r) => [final(r), r.restated && ` corrected (${r.restated.replaceAll(',', ', ')})`] };

function final(r) {
  if (!r.closed) return 'still open';
  return r.mature ? 'final' : `unripe until ${localTime(r.mature_at)}`;
}

const LEFT = [['inactive', 'out_inactive'], ['trial ended', 'out_trial_ended'], ['step undone', 'out_step_undone'], ['excluded', 'out_excluded'], ['tier changed', 'out_tier_changed'],
  ['segment changed', 'out_segment_changed'], ['definition changed', 'out_definition_changed'], ['converted', 'out_converted'], ['other', 'out_other']];

function pqlsTable(rows, choice) {
  const why = (r) => LEFT.filter(([, field]) => r[field] > 0).map(([text, field]) => `${text} ${r[field]}`).join(', ');
  return table({
    caption: 'PQLs by window', rows: lines(rows, 'pqls'), columns: [windowColumn, ...groupColumn(choice),
      ...numbers([['Current', 'current_end'], ['Raw', 'raw'], ['First', 'first'], ['Again', 'repeated'], ['Came', 'inflow'], ['Left', 'outflow']], count), { head: 'Why they left', cell: why }, finality],
  });
}

function shareTable(rows, choice, metric, counted, of) {
  return table({
    caption: 'Rates by window', rows: lines(rows, metric), columns: [windowColumn, ...groupColumn(choice), { head: 'Within', cell: (r) => r.detail },
      { head: 'Rate', number: true, cell: (r) => percent(r.rate) }, { head: counted, number: true, cell: (r) => count(r.numerator) }, { head: of, number: true, cell: (r) => count(r.denominator) },
      { head: '95 % interval', cell: (r) => `${percent(r.low)} to ${percent(r.high)}` }, finality],
  });
}

function timeTable(rows, choice) {
  return table({
    caption: 'Time to PQL by window', rows: lines(rows, 'time_to_pql'), columns: [windowColumn, ...groupColumn(choice), ...numbers([['Accounts', 'count']], count),
      ...numbers([['Mean', 'mean'], ['Median', 'p50'], ['75th', 'p75'], ['90th', 'p90'], ['99th', 'p99']], duration), ...numbers([['Sign-up unknown', 'signup_unknown']], count), finality],
  });
}
