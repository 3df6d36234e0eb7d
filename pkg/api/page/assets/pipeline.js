// How the instance does that serves this page: its stages and their partitions.

import { get } from './api.js';
import { el, table } from './dom.js';
import { count, DAY, duration, now, plural, time } from './format.js';
import { figure, note, page, tag } from './parts.js';

const REFRESH = 5000; // ms

export async function pipeline({ signal, again }) {
  const status = await get('status', {}, signal);
  refresh(signal, again);
  const sum = (field) => status.stages.reduce((total, s) => total + s[field], 0);
  return page(
    'Pipeline',
    'The instance that serves this page: what it reads, and how far it is. It is asked again every five seconds.',
    el('p', { class: 'tags' }, status.ready ? tag('ready', 'good') : tag('not ready', 'bad')),
    el(
      'div',
      { class: 'figures' },
      figure('Instance', el('span', { class: 'id' }, status.instance), el('span', { class: 'small muted' }, status.version)),
      figure(
        'Runs for',
        duration(Math.round((now() - status.started_at) / 1000)),
        el('span', { class: 'small muted' }, 'since ', time(status.started_at)),
      ),
      figure('Partitions', count(sum('partitions')), el('span', { class: 'small muted' }, `${count(sum('waiting'))} waiting`)),
      figure(
        'Records behind',
        el('span', { id: 'lag' }, count(sum('lag'))),
        el('span', { class: 'small muted' }, `${plural(sum('mirror_backlog'), 'commit')} to bring to Redis`),
      ),
    ),
    waiting(status.waiting),
    stages(status.stages),
    status.stages.map(stage),
  );
}

function refresh(signal, again) {
  const timer = setInterval(() => {
    if (!document.hidden) again();
  }, REFRESH);
  signal.addEventListener('abort', () => clearInterval(timer));
}

function waiting(conditions) {
  if (conditions.length === 0) return null;
  return el(
    'section',
    { class: 'panel alarm', 'aria-labelledby': 'waiting-title' },
    el('h2', { id: 'waiting-title' }, 'It waits'),
    el(
      'ul',
      {},
      conditions.map((c) => el('li', {}, el('b', {}, c.name), ': ', c.waiting_for)),
    ),
  );
}

function stages(list) {
  return el(
    'section',
    { class: 'panel', 'aria-labelledby': 'stages-title' },
    el('h2', { id: 'stages-title' }, 'Stages'),
    table({
      caption: 'Stages',
      rows: list,
      rowAttributes: (s) => ({ 'data-stage': s.stage }),
      columns: [
        { head: 'Stage', key: true, cell: (s) => s.stage },
        { head: 'Partitions', number: true, cell: (s) => count(s.partitions) },
        { head: 'Waiting', number: true, cell: (s) => count(s.waiting) },
        { head: 'Lag', number: true, cell: (s) => count(s.lag) },
        { head: 'Mirror backlog', number: true, cell: (s) => count(s.mirror_backlog) },
        { head: 'In memory', number: true, cell: (s) => count(s.cached) },
        {
          head: 'Slowest watermark',
          cell: (s) => watermark(s.tasks.reduce((least, t) => (t.watermark === null ? least : Math.min(least, t.watermark)), Infinity)),
        },
      ],
    }),
  );
}

function watermark(ms) {
  if (ms === null || ms === Infinity) return el('span', { class: 'muted' }, 'not known yet');
  return [time(ms, { relative: true }), ' ', el('span', { class: 'small muted' }, time(ms, { seconds: now() - ms < DAY }))];
}

function stage(s) {
  const most = Math.max(1, ...s.tasks.map((t) => t.lag));
  const id = `stage-${s.stage}`;
  return el(
    'section',
    { class: 'panel', 'aria-labelledby': id },
    el('h2', { id }, s.stage),
    s.tasks.length === 0
      ? note('No partition is assigned to it here.')
      : table({
          caption: `Partitions of ${s.stage}`,
          rows: s.tasks,
          columns: [
            { head: 'Partition', key: true, cell: (t) => el('span', { class: 'mono' }, `${t.topic}/${t.partition}`) },
            {
              head: 'Lag',
              class: 'slim',
              cell: (t) => [
                el('span', { class: 'bar plain', 'aria-hidden': 'true', vars: { at: t.lag / most } }, el('span', {})),
                count(t.lag),
              ],
            },
            { head: 'Watermark', cell: (t) => watermark(t.watermark) },
            {
              head: 'Time held back by',
              cell: (t) =>
                t.held_by
                  ? el('span', { class: 'mono' }, `${t.held_by.topic}/${t.held_by.partition}`)
                  : el('span', { class: 'muted' }, '–'),
            },
            { head: 'Waits for', cell: (t) => t.waiting_for || el('span', { class: 'muted' }, 'nothing') },
          ],
        }),
  );
}
