// Numbers and times as people read them. Times are shown in the viewer's zone, with UTC on hover; windows in their own zone.

import { el } from './dom.js';

export const MINUTE = 60_000,
  HOUR = 60 * MINUTE,
  DAY = 24 * HOUR;

const number = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const moment = new Intl.DateTimeFormat('en-GB', { day: '2-digit', month: 'short', hour: '2-digit', minute: '2-digit' });
const momentOfYear = new Intl.DateTimeFormat('en-GB', {
  day: '2-digit',
  month: 'short',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
});
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

export const now = () => Date.now();
export const known = (v) => v !== null && v !== undefined;
export const count = (v) => (known(v) ? number.format(v) : '–');
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

export function percent(v, digits = 1) {
  return known(v) ? `${(100 * v).toFixed(digits)} %` : '–';
}

// rate is a share without digits that nobody needs.
export const rate = (v) => percent(v, 0);

// duration is of seconds.
export function duration(s) {
  if (!known(s)) return '–';
  if (s < 0) return `-${duration(-s)}`;
  if (s < 1) return s === 0 ? '0 s' : `${Math.round(s * 1000)} ms`;
  if (s < 120) return `${trim(s)} s`;
  if (s < 2 * 3600) return `${trim(s / 60)} min`;
  if (s < 2 * 86400) return `${trim(s / 3600)} h`;
  return `${trim(s / 86400)} d`;
}

// DURATIONS are lengths in seconds that scales go by.
export const DURATIONS = [
  1,
  5,
  15,
  30,
  60,
  300,
  900,
  1800,
  3600,
  7200,
  21_600,
  43_200,
  ...[1, 2, 5, 10, 20, 50, 100, 200].map((d) => 86_400 * d),
];

const trim = (v) => (v < 10 ? v.toFixed(1).replace(/\.0$/, '') : Math.round(v).toLocaleString('en'));

// ago says how long ago a moment was.
export function ago(ms) {
  const passed = now() - ms;
  if (passed < -MINUTE) return `in ${duration(-passed / 1000)}`;
  return passed < 10_000 ? 'just now' : `${duration(passed / 1000)} ago`;
}

export function utc(ms) {
  return `${new Date(ms)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.?0*Z$/, '')} UTC`;
}

// time is an element that shows a moment in the viewer's zone.
export function time(ms, { relative = false, seconds = false } = {}) {
  if (!known(ms) || ms === 0) return el('span', { class: 'muted' }, '–');
  return el(
    'time',
    { datetime: new Date(ms).toISOString(), title: relative ? `${localTime(ms)}, ${utc(ms)}` : utc(ms) },
    relative ? ago(ms) : seconds ? clock.format(ms) : localTime(ms),
  );
}

export function localTime(ms) {
  const thisYear = new Date(ms).getFullYear() === new Date(now()).getFullYear();
  return (thisYear ? moment : momentOfYear).format(ms);
}

// startOfToday is the viewer's last midnight.
export function startOfToday() {
  const d = new Date(now());
  d.setHours(0, 0, 0, 0);
  return d.getTime();
}

const formats = new Map();

function zoned(zone, options) {
  const key = zone + JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat('en-GB', { timeZone: zone || 'UTC', ...options }));
  return formats.get(key);
}

// windowName names a window by its start, in the window's own zone.
export function windowName(row, brief = false) {
  const { unit, zone, window_start: start } = row;
  if (unit === 'month') return zoned(zone, brief ? { month: 'short' } : { month: 'short', year: 'numeric' }).format(start);
  if (unit === 'hour') return zoned(zone, { day: '2-digit', month: 'short', hour: '2-digit', minute: '2-digit' }).format(start);
  return zoned(zone, brief ? { day: 'numeric', month: 'short' } : { day: 'numeric', month: 'short', year: 'numeric' }).format(start);
}

// windowCell is a window's name with its bounds in UTC on hover.
export function windowCell(row) {
  return el('span', { title: `${utc(row.window_start)} to ${utc(row.window_end)}` }, windowName(row));
}

// words turns the name of a step, a type or a group into words.
export const words = (id) => String(id).replaceAll('_', ' ');
