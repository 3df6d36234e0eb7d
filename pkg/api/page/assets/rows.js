// Rows of metrics, arranged by windows.

import { allRows, MOST_ROWS } from './api.js';
import { EACH } from './choice.js';
import { count, windowName } from './format.js';
import { note, tag } from './parts.js';

const DAYS = { day: 1, week: 7, month: 31 };

// load reads rows of metrics for a choice: of its period, the window that is still open, and as many windows before.
export async function load(metrics, choice, signal) {
  const back = 2 * choice.last + 2;
  const from = choice.unit === 'hour' ? `${back}h` : `${back * DAYS[choice.unit]}d`;
  const of = {
    unit: choice.unit,
    zone: choice.zone,
    grouping: choice.grouping,
    group: choice.group === EACH ? '' : choice.group,
    from,
    limit: 5000,
  };
  const lists = await Promise.all(metrics.map((metric) => allRows('metrics', { metric, ...of }, signal)));
  return new Rows(
    lists.flatMap((l) => l.items).filter((r) => r.unit === choice.unit && r.zone === choice.zone && r.grouping === choice.grouping),
    choice,
    lists.some((l) => l.cut),
  );
}

// cutNote says that not all rows were read; null: all were.
export function cutNote(rows) {
  if (!rows.cut) return null;
  const says = `There are more rows than are read here, ${count(MOST_ROWS)} of a metric: what is shown of some groups lacks windows.`;
  return note(tag('not all', 'warn'), ` ${says} Choose one group, or a shorter period.`);
}

class Rows {
  #rows = new Map();
  #details = new Map();

  constructor(rows, choice, cut) {
    this.cut = cut;
    const windows = new Map();
    this.asOf = 0;
    const groups = new Set();
    for (const row of rows) {
      windows.set(row.window_start, row);
      groups.add(row.group);
      this.asOf = Math.max(this.asOf, row.as_of);
      this.#rows.set(key(row.metric, row.detail, row.group, row.window_start), row);
      if (!this.#details.has(row.metric)) this.#details.set(row.metric, new Set());
      this.#details.get(row.metric).add(row.detail);
    }
    const all = [...windows.values()].sort((a, b) => a.window_start - b.window_start);
    const ended = all.filter((w) => w.window_end <= this.asOf);
    const open = all.filter((w) => w.window_end > this.asOf);
    this.windows = [...ended.slice(-choice.last), ...open];
    this.before = ended.slice(-2 * choice.last, -choice.last);
    this.ended = this.windows.length - open.length; // how many of the windows are over
    this.comparable = this.before.length === this.ended && this.ended > 0; // the period before is as long
    this.groups = choice.group === EACH ? [...groups].sort() : [choice.group];
  }

  // labels name the windows.
  get labels() {
    return this.windows.map((w) => windowName(w));
  }

  // of returns a metric's rows, one a window; null: there is none.
  of(metric, detail = '', group = this.groups[0], windows = this.windows) {
    return windows.map((w) => this.#rows.get(key(metric, detail, group, w.window_start)) ?? null);
  }

  // past returns those of the windows before, at the places of those now that they are compared to.
  past(metric, detail = '', group = this.groups[0]) {
    const rows = this.of(metric, detail, group, this.before);
    return [...Array(Math.max(0, this.ended - rows.length)).fill(null), ...rows, ...Array(this.windows.length - this.ended).fill(null)];
  }

  // over are the windows that are over.
  get over() {
    return this.windows.slice(0, this.ended);
  }

  // now returns a metric's rows of windows that are over.
  now(metric, detail = '', group = this.groups[0]) {
    return this.of(metric, detail, group, this.over);
  }

  // details returns what a metric has rows of, numbers by their size.
  details(metric) {
    return [...(this.#details.get(metric) ?? [])].sort((a, b) => (parseInt(a, 10) || 0) - (parseInt(b, 10) || 0) || (a < b ? -1 : 1));
  }
}

const key = (...parts) => parts.join('\u0000');

// column takes one field out of rows.
export const column = (rows, field) => rows.map((r) => r?.[field] ?? null);

// share adds up shares over those of the windows that have ripened. The rate is null where there is nothing.
export function share(rows) {
  const ripe = rows.filter((r) => r?.mature);
  const numerator = sum(ripe, 'numerator'),
    denominator = sum(ripe, 'denominator');
  return { numerator, denominator, rate: denominator > 0 ? numerator / denominator : null };
}

// mean is the mean over windows, by how many each counts.
export function mean(rows) {
  const some = rows.filter((r) => r?.count > 0);
  const n = sum(some, 'count');
  return n > 0 ? some.reduce((total, r) => total + r.count * r.mean, 0) / n : null;
}

export const sum = (rows, field) => rows.reduce((total, r) => total + (r?.[field] ?? 0), 0);

// unripe returns the place from which on rows have not all ripened.
export function unripe(rows) {
  let at = rows.length;
  while (at > 0 && !rows[at - 1]?.mature) at--;
  return at;
}
