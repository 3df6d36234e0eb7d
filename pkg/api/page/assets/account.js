// One account: how its checklist filled up, what is missing, who is there, what happened.

import { get } from './api.js';
import { chart, behind } from './chart.js';
import { el, table } from './dom.js';
import { count, localTime, percent, plural, rate, time, words } from './format.js';
import { accountLink, figure, meter, nextStep, note, page, standing, tag, tier } from './parts.js';

export async function account({ id, signal }) {
  const path = `accounts/${encodeURIComponent(id)}`;
  const [a, history] = await Promise.all([get(path, {}, signal), get(`${path}/history`, {}, signal)]);
  const view = page(
    a.account_id,
    '',
    el(
      'p',
      { class: 'tags' },
      tier(a.tier),
      standing(a),
      flags(a).map(([text, kind]) => tag(text, kind)),
    ),
  );
  view.querySelector('h1').classList.add('id');
  if (a.merged_into) view.append(note('It was merged into ', accountLink(a.merged_into), ', where all that is known of it lies.'));
  view.append(
    figures(a),
    el(
      'div',
      { class: 'split' },
      el('div', {}, filling(a, history.items), done(a), missing(a)),
      el(
        'div',
        {},
        el(
          'section',
          { class: 'panel', 'aria-labelledby': 'next-title' },
          el('h2', { id: 'next-title' }, 'Next step'),
          nextStep(a.playbook),
        ),
        properties(a),
        happened(history.items),
      ),
    ),
    users(a),
  );
  return view;
}

// flags are what is out of the ordinary.
function flags(a) {
  return [
    [a.escalated, 'escalated', 'accent'],
    [a.hold_out && !a.current, 'control group', 'warn'],
    [a.silent, 'fell silent', 'warn'],
    [a.barred, 'barred until another step', 'warn'],
    [a.erased, 'erased'],
    [a.partly_erased, 'partly erased'],
    [a.lone_user, 'one user of a large account', 'warn'],
    [a.single_user && !a.lone_user, 'one user', 'warn'],
  ]
    .filter(([holds]) => holds)
    .map(([, ...flag]) => flag);
}

function figures(a) {
  return el(
    'div',
    { class: 'figures' },
    figure('Activation rate', rate(a.rate), meter(a.rate, a.threshold)),
    figure('Signed up', time(a.signed_up_at)),
    figure('Qualified', time(a.qualified_at)),
    figure('Active users, 7 days', count(a.active_users_7d), el('span', { class: 'small muted' }, `${count(a.activated_users)} activated`)),
    figure('Champion', a.champion ? el('span', { class: 'id' }, a.champion) : '–'),
  );
}

// filling draws the rate over time, taken back from what it is now by the transitions that are remembered.
function filling(a, history) {
  const section = el(
    'section',
    { class: 'panel', 'aria-labelledby': 'filling-title' },
    el('h2', { id: 'filling-title' }, 'How the checklist filled up'),
  );
  const moments = course(a, history);
  if (moments.length < 2) {
    section.append(note('No step has been done yet.'));
    return section;
  }
  const labels = moments.map((m) => `${localTime(m.at)}: ${m.text}`);
  section.append(
    chart({
      says: `The activation rate after each transition: ${rate(moments[0].rate)} at first, ${rate(a.rate)} now, with ${rate(a.threshold)} to qualify. The table has all of it.`,
      labels,
      format: (v) => rate(v),
      height: 190,
      times: moments.map((m) => m.at),
      top: 1.03,
      series: [
        { label: 'Rate', kind: 'step', colour: 'c1', values: moments.map((m) => m.rate) },
        { label: 'Threshold', kind: 'before', colour: 'c3', values: moments.map(() => a.threshold) },
      ],
    }),
    behind(
      table({
        caption: 'The activation rate over time',
        rows: moments,
        columns: [
          { head: 'When', key: true, cell: (m) => time(m.at) },
          { head: 'What', cell: (m) => m.text },
          { head: 'Rate', number: true, cell: (m) => percent(m.rate, 0) },
        ],
      }),
    ),
  );
  return section;
}

// course returns the rate after each transition. It goes back from now, since the oldest transitions are forgotten.
function course(a, history) {
  const weights = new Map([...a.steps_done, ...a.steps_missing].map((s) => [s.id, s.weight]));
  const all = [...weights.values()].reduce((sum, w) => sum + w, 0) || 1;
  const moments = [];
  let now = a.rate;
  for (const h of [...history].reverse()) {
    moments.unshift({ at: h.occurred_at, rate: Math.min(1, Math.max(0, now)), text: said(h) });
    const weight = (weights.get(h.step) ?? 0) / all;
    if (h.type === 'step_done') now -= weight;
    if (h.type === 'step_undone') now += weight;
  }
  return moments;
}

const said = (h) => words(h.type) + (h.step ? `: ${words(h.step)}` : '');

function done(a) {
  return el(
    'section',
    { class: 'panel', 'aria-labelledby': 'done-title' },
    el(
      'h2',
      { id: 'done-title' },
      `Done: ${count(a.steps_done.length)} of ${plural(a.steps_done.length + a.steps_missing.length, 'step')}`,
    ),
    table({
      caption: 'Steps done',
      rows: a.steps_done,
      empty: 'No step is done.',
      columns: [
        { head: 'Step', key: true, cell: (s) => el('span', { class: 'check-done' }, words(s.id)) },
        { head: 'Weight', number: true, cell: (s) => count(s.weight) },
        { head: 'When', cell: (s) => time(s.done_at) },
        { head: 'By', class: 'name', cell: (s) => s.user_id || '–' },
        { head: 'Counted', number: true, cell: (s) => count(s.count) },
        { head: 'Evidence', class: 'name', cell: evidence },
      ],
    }),
  );
}

function evidence(s) {
  if (!s.source_topic) return el('span', { class: 'muted' }, 'other steps, or time');
  return el(
    'span',
    { class: 'small' },
    s.event_id && [el('span', { class: 'mono' }, s.event_id), el('br')],
    el('span', { class: 'muted nowrap' }, `${s.source_topic}/${s.source_partition} @ ${s.source_offset}`),
  );
}

function missing(a) {
  const nearest = new Set(a.nearest_steps);
  const rows = el(
    'ul',
    { class: 'todo' },
    a.steps_missing.map((s) =>
      el(
        'li',
        {},
        el('span', { class: 'name' }, words(s.id), nearest.has(s.id) && [' ', tag('shortest way', 'accent')]),
        el('span', { class: 'bar plain', 'aria-hidden': 'true', vars: { at: s.progress } }, el('span', {})),
        el('span', { class: 'small' }, el('b', {}, rate(s.progress)), ` there, weight ${count(s.weight)}`),
        el('span', { class: 'small muted' }, s.need),
      ),
    ),
  );
  return el(
    'section',
    { class: 'panel', 'aria-labelledby': 'missing-title' },
    el('h2', { id: 'missing-title' }, `Missing: ${count(a.steps_missing.length)}`),
    a.steps_missing.length > 0 ? rows : note('Nothing is missing.'),
  );
}

function users(a) {
  return el(
    'section',
    { class: 'panel', 'aria-labelledby': 'users-title' },
    el('h2', { id: 'users-title' }, 'Users'),
    table({
      caption: 'Users, the most active first',
      rows: a.users,
      empty: 'No user is known.',
      columns: [
        {
          head: 'User',
          key: true,
          cell: (u) => [el('span', { class: 'id' }, u.id), ' ', u.id === a.champion && tag('champion', 'accent')],
        },
        { head: 'Role', cell: (u) => u.role || el('span', { class: 'muted' }, '–') },
        { head: 'Events', number: true, cell: (u) => count(u.events) },
        { head: 'Steps done', number: true, cell: (u) => count(u.steps_done) },
        { head: 'Own rate', cell: (u) => meter(u.rate, a.threshold) },
        { head: 'Last seen', cell: (u) => time(u.last_seen) },
      ],
    }),
  );
}

function properties(a) {
  const by = new Set(Object.keys(a.tier_by));
  const entries = Object.entries(a.account_properties);
  return el(
    'section',
    { class: 'panel', 'aria-labelledby': 'properties-title' },
    el('h2', { id: 'properties-title' }, 'Properties'),
    el(
      'dl',
      { class: 'properties' },
      entries.map(([name, value]) =>
        el(
          'div',
          {},
          el('dt', {}, words(name), by.has(name) && el('span', { class: 'muted' }, ' (decides the tier)')),
          el('dd', {}, value === null ? '–' : String(value)),
        ),
      ),
      el(
        'div',
        {},
        el('dt', {}, 'segments'),
        el(
          'dd',
          {},
          a.segments.length > 0
            ? el(
                'span',
                { class: 'tags' },
                a.segments.map((s) => tag(s)),
              )
            : '–',
        ),
      ),
      el(
        'div',
        {},
        el('dt', {}, 'checklist'),
        el(
          'dd',
          {},
          `${a.checklist.name}, version ${a.checklist.version} `,
          el('span', { class: 'mono small muted' }, a.checklist.hash.slice(0, 12)),
        ),
      ),
    ),
  );
}

function happened(history) {
  return el(
    'section',
    { class: 'panel', 'aria-labelledby': 'history-title' },
    el('h2', { id: 'history-title' }, 'History'),
    history.length > 0
      ? el(
          'ol',
          { class: 'history', id: 'history' },
          [...history].reverse().map((h) => el('li', { class: h.type }, el('span', {}, said(h)), ' ', time(h.occurred_at))),
        )
      : note('Nothing has happened yet.'),
  );
}
