// Which windows, zone and groups the metrics are shown for: in the address, so that a view can be passed on.

import { get } from './api.js';
import { el, select } from './dom.js';
import { note, page } from './parts.js';
import { plural, words } from './format.js';

export const EACH = '*'; // as a group: each of the grouping, side by side

const SPANS = { hour: [24, 48, 168], day: [14, 30, 90], week: [4, 12, 26, 52], month: [6, 12, 24] };
const USUAL = { hour: 48, day: 30, week: 12, month: 12 };

// catalogOf returns which metrics there are; null: none are kept.
export async function catalogOf(signal) {
  const catalog = await get('metrics/catalog', {}, signal);
  return catalog.units.length > 0 && catalog.zones.length > 0 ? catalog : null;
}

export function noMetrics(title) {
  return page(
    title,
    '',
    null,
    note(
      'No metrics are kept here. Set ',
      el('code', {}, 'metrics.enabled: true'),
      ', and have a process run the stages ',
      el('code', {}, 'measure'),
      ' and ',
      el('code', {}, 'rollup'),
      '.',
    ),
  );
}

// choiceOf reads the choice from the address. What it does not say, or what there is not, is as usual. units, if given, are those to choose from.
export function choiceOf(catalog, params, units = catalog.units) {
  const of = (name, among, otherwise) => (among.includes(params.get(name)) ? params.get(name) : otherwise);
  const unit = of('unit', units, units.includes('week') ? 'week' : units[0]);
  const groupings = catalog.groupings.map((g) => g.name);
  const grouping = of('grouping', groupings, groupings.includes('') ? '' : (groupings[0] ?? ''));
  const groups = grouping === '' ? [] : catalog.groupings.find((g) => g.name === grouping).groups;
  const n = Number(params.get('last'));
  return {
    unit,
    zone: of('zone', catalog.zones, catalog.zones[0]),
    grouping,
    groups,
    group: grouping === '' ? '' : of('group', groups, EACH),
    last: SPANS[unit].includes(n) ? n : USUAL[unit],
    compare: params.get('compare') !== 'no',
  };
}

// periodName names as many windows as are chosen.
export const periodName = (choice) => plural(choice.last, choice.unit);

// controls lets people choose.
export function controls(catalog, choice, change, { units = catalog.units, each = true, more = [] } = {}) {
  const groupings = catalog.groupings.map((g) => g.name);
  const grouped = choice.grouping !== '';
  return el(
    'div',
    { class: 'controls', role: 'group', 'aria-label': 'What is shown' },
    select({ id: 'unit', label: 'Windows of', options: units, value: choice.unit, change: (v) => change({ unit: v, last: '' }) }),
    select({
      id: 'last',
      label: 'Period',
      value: String(choice.last),
      change: (v) => change({ last: v }),
      options: SPANS[choice.unit].map((n) => [String(n), `last ${plural(n, choice.unit)}`]),
    }),
    catalog.zones.length > 1 &&
      select({ id: 'zone', label: 'Time zone', options: catalog.zones, value: choice.zone, change: (v) => change({ zone: v }) }),
    groupings.length > 1 &&
      select({
        id: 'grouping',
        label: 'By',
        options: groupings.map((g) => [g, g === '' ? 'all accounts' : words(g).replaceAll(',', ', ')]),
        value: choice.grouping,
        change: (v) => change({ grouping: v, group: null }),
      }),
    grouped &&
      select({
        id: 'group',
        label: 'Group',
        value: choice.group,
        change: (v) => change({ group: v === EACH ? null : v }),
        options: [...(each ? [[EACH, 'each, side by side']] : []), ...choice.groups.map((g) => [g, groupText(g)])],
      }),
    more,
  );
}

export const groupText = (group) => (group === '' ? 'none' : group.replaceAll(',', ', '));

// compareBox is the switch for the period before.
export function compareBox(choice, change) {
  return el(
    'label',
    { class: 'check' },
    el('input', {
      type: 'checkbox',
      id: 'compare',
      checked: choice.compare,
      change: (e) => change({ compare: e.target.checked ? '' : 'no' }),
    }),
    'with the period before',
  );
}
