// The one number that was chosen to be watched, and the band that it should be in.

import { chart } from './chart.js';
import { el } from './dom.js';
import { count, duration, known, percent, words, windowName } from './format.js';
import { column, unripe } from './rows.js';
import { groupText } from './choice.js';
import { figure, tag } from './parts.js';

const SHARES = ['rate', 'low', 'high', 'control_rate', 'difference'];
const DURATIONS = ['mean', 'min', 'max', 'p50', 'p75', 'p90', 'p99'];

// formatOf returns how a field of a row is written.
export function formatOf(field) {
  return SHARES.includes(field) ? (v) => percent(v) : DURATIONS.includes(field) ? duration : count;
}

const titleOf = (catalog, star) =>
  `${catalog.metrics.find((m) => m.name === star.metric)?.title ?? words(star.metric)}${star.detail ? ` within ${star.detail}` : ''}`;

function bandOf(star) {
  const format = formatOf(star.field);
  if (known(star.low) && known(star.high)) return `${format(star.low)} to ${format(star.high)}`;
  return known(star.low) ? `at least ${format(star.low)}` : known(star.high) ? `at most ${format(star.high)}` : 'none';
}

function verdict(star) {
  if (star.within === null) return tag('not known yet');
  if (star.within) return tag('within its band', 'good');
  return tag(known(star.low) && star.value < star.low ? 'below its band' : 'above its band', 'bad');
}

// northStarLine is the north star in a line, for the first view.
export function northStarLine(catalog) {
  const star = catalog?.north_star;
  if (!star) return null;
  return el(
    'a',
    { class: 'star-line', href: '#/metrics', id: 'star-line' },
    el('span', { class: 'label' }, `★ ${titleOf(catalog, star)}`),
    el('span', { class: 'value' }, formatOf(star.field)(star.value)),
    verdict(star),
  );
}

// northStarPanel shows it with its band. rows are the metric's, of its own windows.
export function northStarPanel(catalog, rows) {
  const star = catalog.north_star;
  const format = formatOf(star.field);
  const of = rows.of(star.metric, star.detail, star.group);
  const window = star.window_start === null ? '' : windowName({ unit: star.unit, zone: star.zone, window_start: star.window_start });
  const values = column(of, star.field);
  return el(
    'section',
    { class: 'panel star', 'aria-labelledby': 'star-title' },
    el(
      'div',
      {},
      el('h2', { id: 'star-title' }, '★ North star'),
      el('p', { class: 'says' }, titleOf(catalog, star), star.grouping && `, ${words(star.grouping)} ${groupText(star.group)}`),
      figure(window ? `${star.unit} of ${window}` : 'no window yet', el('span', { id: 'star-value' }, format(star.value))),
      el('p', { class: 'tags' }, verdict(star)),
      el('p', { class: 'small muted' }, `Band: ${bandOf(star)}`),
    ),
    chart({
      says: `${titleOf(catalog, star)} over ${rows.windows.length} windows, with its band of ${bandOf(star)}. The panels below have tables.`,
      labels: rows.labels,
      format,
      height: 150,
      limits: { low: star.low, high: star.high },
      series: [{ label: titleOf(catalog, star), kind: 'line', colour: 'c1', values, from: unripe(of) }],
    }),
  );
}
