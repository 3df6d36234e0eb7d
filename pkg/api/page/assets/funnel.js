// Of the accounts that signed up in a period, those that have done each step.

import { catalogOf, choiceOf, compareBox, controls, EACH, noMetrics, periodName } from './choice.js';
import { el, table } from './dom.js';
import { count, duration, percent, words } from './format.js';
import { delta, note, page } from './parts.js';
import { cutNote, load, mean, sum } from './rows.js';

export async function funnel({ params, signal, change }) {
  const catalog = await catalogOf(signal);
  if (!catalog) return noMetrics('Funnel');
  const choice = choiceOf(catalog, params);
  if (choice.group === EACH) choice.group = choice.groups[0] ?? ''; // one funnel at a time
  const rows = await load(['funnel', 'pql_rate'], choice, signal);
  const view = page(
    'Funnel',
    `Of the accounts that signed up in the last ${periodName(choice)} that are over, those that have done each step, and how long it took them.`,
    null,
    controls(catalog, choice, change, { each: false, more: [compareBox(choice, change)] }),
    cutNote(rows),
  );
  const steps = stepsOf(rows);
  if (steps.length === 0) {
    view.append(note('No account has signed up in a window of this choice that is over.'));
    return view;
  }
  view.append(
    el(
      'section',
      { class: 'panel', 'aria-label': 'Funnel' },
      table({
        caption: 'Funnel',
        rows: steps,
        columns: columns(steps, choice, rows.comparable),
        rowAttributes: (s) => ({ 'data-step': s.id }),
      }),
    ),
    note(
      'Steps can be done in any order, so who has done one need not have done the one above it. Young accounts still have time: the newest windows grow. ',
      choice.compare && 'So shares are compared only of windows that have had all their time.',
    ),
  );
  return view;
}

// stepsOf adds the windows up that are over: sign-ups first, then the steps by how many have done them, then those that qualified.
function stepsOf(rows) {
  const of = signUps(rows, rows.over);
  const steps = rows
    .details('funnel')
    .map((id) => {
      const now = rows.now('funnel', id);
      return { id, name: words(id), n: sum(now, 'numerator'), of, mean: mean(now), ...ripeShares(rows, 'funnel', id) };
    })
    .sort((a, b) => b.n - a.n);
  if (steps.length === 0 || of === 0) return [];
  const signedUp = { id: '', name: 'signed up', n: of, of, before: signUps(rows, rows.before), mean: null };
  const days = rows.details('pql_rate').at(-1);
  const all = [signedUp, ...steps, ...(days ? [qualified(rows, days, of)] : [])];
  all.forEach((s, i) => {
    s.above = i > 0 ? all[i - 1].n : null;
  });
  return all;
}

// signUps adds up who signed up in windows. A step has no row of a window in which nobody has done it.
function signUps(rows, windows) {
  const all = ['funnel', 'pql_rate'].flatMap((metric) => rows.details(metric).map((detail) => rows.of(metric, detail, undefined, windows)));
  return windows.reduce((total, _, i) => total + Math.max(0, ...all.map((of) => of[i]?.denominator ?? 0)), 0);
}

// ripeShares returns the share now and before of those windows that have had all their time. Others are not compared: the older ones have had
// longer. null: none has.
function ripeShares(rows, metric, detail) {
  const share = (windows) => {
    const details = metric === 'funnel' ? rows.details(metric) : [detail]; // a step that nobody has done has no row to tell
    const all = details.map((d) => rows.of(metric, d, undefined, windows));
    const ripe = windows.filter((_, i) => all.some((of) => of[i]?.mature));
    const total = signUps(rows, ripe);
    return total > 0 ? sum(rows.of(metric, detail, undefined, ripe), 'numerator') / total : null;
  };
  return { ripeNow: share(rows.over), ripeBefore: share(rows.before) };
}

function qualified(rows, days, of) {
  const n = sum(rows.now('pql_rate', days), 'numerator');
  return { id: 'qualified', name: `PQL within ${days}`, last: true, n, of, mean: null, ...ripeShares(rows, 'pql_rate', days) };
}

function columns(steps, choice, comparable) {
  const share = (s) => (s.of > 0 ? s.n / s.of : null);
  return [
    { head: 'Step', key: true, cell: (s) => s.name },
    { head: 'Accounts', number: true, cell: (s) => count(s.n) },
    {
      head: 'Of those that signed up',
      class: 'wide',
      cell: (s) =>
        el(
          'span',
          { class: 'funnel-bar' },
          el('span', { class: s.last ? 'bar reached' : 'bar', 'aria-hidden': 'true', vars: { at: share(s) ?? 0 } }, el('span', {})),
          el('b', {}, percent(share(s))),
        ),
    },
    { head: 'Of the step above', number: true, cell: (s) => (s.above > 0 && !s.last ? percent(s.n / s.above, 0) : '–') },
    { head: 'Drops off', number: true, cell: (s) => (s.above === null || s.last ? '–' : count(Math.max(0, s.above - s.n))) },
    { head: 'Mean time', number: true, cell: (s) => duration(s.mean) },
    ...(choice.compare
      ? [
          {
            head: 'Than before',
            cell: (s) => {
              const than = `the ${periodName(choice)} before`;
              if (s.id === '') return delta(s.n, comparable ? s.before : null, { than });
              if (s.ripeNow === null || s.ripeBefore === null) return '–';
              return delta(s.ripeNow, s.ripeBefore, { points: true, than: `${than}, of windows that have had their time` });
            },
          },
        ]
      : []),
  ];
}
