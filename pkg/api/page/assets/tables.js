// The tables behind the charts of metrics: a line for each window, group and detail that there is a row of.

import { EACH, groupText } from './choice.js';
import { table } from './dom.js';
import { count, duration, localTime, percent, windowCell } from './format.js';

// lines are a table's rows, the newest window first.
function lines(rows, metric) {
  return rows.groups
    .flatMap((g) => rows.details(metric).flatMap((d) => rows.of(metric, d, g)))
    .filter(Boolean)
    .sort((a, b) => b.window_start - a.window_start);
}

const windowColumn = { head: 'Window', key: true, cell: windowCell };
const groupColumn = (choice) => (choice.group === EACH ? [{ head: 'Group', cell: (r) => groupText(r.group) }] : []);
const numbers = (fields, format) => fields.map(([head, field]) => ({ head, number: true, cell: (r) => format(r[field]) }));

const finality = { head: 'How final', cell: (r) => [final(r), r.restated && ` corrected (${r.restated.replaceAll(',', ', ')})`] };

function final(r) {
  if (!r.closed) return 'still open';
  return r.mature ? 'final' : `unripe until ${localTime(r.mature_at)}`;
}

const LEFT = [
  ['inactive', 'out_inactive'],
  ['trial ended', 'out_trial_ended'],
  ['step undone', 'out_step_undone'],
  ['excluded', 'out_excluded'],
  ['tier changed', 'out_tier_changed'],
  ['segment changed', 'out_segment_changed'],
  ['definition changed', 'out_definition_changed'],
  ['converted', 'out_converted'],
  ['other', 'out_other'],
];

export function pqlsTable(rows, choice) {
  const why = (r) =>
    LEFT.filter(([, field]) => r[field] > 0)
      .map(([text, field]) => `${text} ${r[field]}`)
      .join(', ');
  return table({
    caption: 'PQLs by window',
    rows: lines(rows, 'pqls'),
    columns: [
      windowColumn,
      ...groupColumn(choice),
      ...numbers(
        [
          ['Current', 'current_end'],
          ['Raw', 'raw'],
          ['First', 'first'],
          ['Again', 'repeated'],
          ['Came', 'inflow'],
          ['Left', 'outflow'],
        ],
        count,
      ),
      { head: 'Why they left', cell: why },
      finality,
    ],
  });
}

export function shareTable(info, rows, choice, counted, of) {
  return table({
    caption: `${info.title} by window`,
    rows: lines(rows, info.name),
    columns: [
      windowColumn,
      ...groupColumn(choice),
      { head: 'Within', cell: (r) => r.detail },
      { head: 'Rate', number: true, cell: (r) => percent(r.rate) },
      { head: counted, number: true, cell: (r) => count(r.numerator) },
      { head: of, number: true, cell: (r) => count(r.denominator) },
      { head: '95 % interval', cell: (r) => `${percent(r.low)} to ${percent(r.high)}` },
      finality,
    ],
  });
}

export function timeTable(rows, choice) {
  return table({
    caption: 'Time to PQL by window',
    rows: lines(rows, 'time_to_pql'),
    columns: [
      windowColumn,
      ...groupColumn(choice),
      ...numbers([['Accounts', 'count']], count),
      ...numbers(
        [
          ['Mean', 'mean'],
          ['Median', 'p50'],
          ['75th', 'p75'],
          ['90th', 'p90'],
          ['99th', 'p99'],
        ],
        duration,
      ),
      ...numbers([['Sign-up unknown', 'signup_unknown']], count),
      finality,
    ],
  });
}
