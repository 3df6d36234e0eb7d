// The four metrics, and the one of them that was chosen as north star.

import { catalogOf, choiceOf, compareBox, controls, noMetrics, periodName } from './choice.js';
import { el } from './dom.js';
import { time } from './format.js';
import { northStarPanel } from './northstar.js';
import { note, page } from './parts.js';
import { PANELS } from './panels.js';
import { cutNote, load } from './rows.js';

export async function metrics({ params, signal, change }) {
  const catalog = await catalogOf(signal);
  if (!catalog) return noMetrics('Metrics');
  const choice = choiceOf(catalog, params);
  const star = catalog.north_star;
  const [rows, starRows] = await Promise.all([
    load(
      PANELS.map((p) => p.metric),
      choice,
      signal,
    ),
    star &&
      load([star.metric], { ...choice, unit: star.unit, zone: star.zone, grouping: star.grouping, group: star.group, last: 12 }, signal),
  ]);
  const view = page(
    'Metrics',
    `PQLs, how many accounts become one, how fast, and how many of them pay. The last ${periodName(choice)}, compared with as many before.`,
    rows.asOf > 0 && el('p', { class: 'small muted' }, 'as of ', time(rows.asOf)),
    controls(catalog, choice, change, { more: [compareBox(choice, change)] }),
    cutNote(rows),
  );
  if (starRows) view.append(northStarPanel(catalog, starRows));
  if (rows.windows.length === 0) {
    view.append(note('There are no windows of this choice yet.'));
    return view;
  }
  view.append(
    el(
      'div',
      { class: 'panels' },
      PANELS.map((p) => p.draw({ rows, choice, params, change, info: catalog.metrics.find((m) => m.name === p.metric), star })),
    ),
  );
  return view;
}
