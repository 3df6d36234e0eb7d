// Who is to be talked to today: PQLs with what they have done, and what to do next. It changes as facts come.

import { get } from './api.js';
import { el, focusIn, say, select } from './dom.js';
import { count, DAY, now, startOfToday, time, words } from './format.js';
import { facts } from './live.js';
import { northStarLine } from './northstar.js';
import { pager } from './paging.js';
import { accountLink, meter, nextStep, note, page, steps, tag, tier } from './parts.js';

const PERIODS = [
  ['today', 'Today'],
  ['1d', 'Last 24 hours'],
  ['7d', 'Last 7 days'],
  ['30d', 'Last 30 days'],
  ['all', 'All there are'],
];
const SETTLES = 1500; // ms until what a fact changed can be read from the API
const SETTLES_AT_MOST = 20_000; // ms between two looks while facts keep coming

export async function pqls(context) {
  const { params, signal, change } = context;
  const [found, checklist, catalog] = await Promise.all([
    find(params, signal),
    get('checklist', {}, signal),
    get('metrics/catalog', {}, signal).catch(() => null),
  ]);
  const tiers = checklist.tiers;
  let { query } = found;
  const cards = el('ol', { class: 'cards', id: 'pqls', 'aria-label': 'PQLs' });
  const none = nobody(params.get('since'), change);
  const recent = el('ol', { class: 'feed', id: 'feed' });
  let tierStrip = strip(query, tiers, await tierCounts(query, found.list, tiers, signal), change);
  let pages = pagerOf(params, query, found.list, change);
  const fill = (list) => {
    cards.replaceChildren(...list.items.map((row) => card(row)));
    none.hidden = list.items.length > 0;
  };
  fill(found.list);
  const view = page(
    'PQLs',
    'Accounts whose use shows that they are ready to buy, with the evidence and the next step.',
    northStarLine(catalog),
    tierStrip,
    filters(params, found.list, catalog, change),
    el('div', { class: 'split' }, el('div', {}, none, cards, pages), feed(recent)),
  );
  // What changes as facts come: the list and how many there are. What is being typed or looked at stays.
  const refresh = async () => {
    const { query: asked, list } = await find(params, signal);
    const counts = await tierCounts(asked, list, tiers, signal);
    const focusAgain = focusIn(view);
    const [strips, pagers] = [strip(asked, tiers, counts, change), pagerOf(params, asked, list, change)];
    tierStrip?.replaceWith(strips);
    pages.replaceWith(pagers);
    [query, tierStrip, pages] = [asked, strips, pagers];
    fill(list);
    focusAgain();
  };
  const fits = (fact) => fitsQuery(fact, query, tiers);
  watch(signal, { cards, recent, none, fits, first: !params.get('cursor') && !params.get('sort') }, refresh);
  return view;
}

async function find(params, signal) {
  const query = queryOf(params);
  return { query, list: await get('pqls', query, signal) };
}

function nobody(since, change) {
  const wider = since ? 'all' : '7d';
  return note(
    since ? 'No account fits. ' : 'Nobody has qualified yet today. ',
    since !== 'all' &&
      el(
        'button',
        { type: 'button', class: 'link', click: () => change({ since: wider }) },
        wider === 'all' ? 'Look at all there are' : 'Look at the last 7 days',
      ),
  );
}

// picks says whether accounts are picked out of a list, which totals don't tell.
const picks = (query) => Boolean(query.segment || query.playbook);

const pagerOf = (params, query, list, change) =>
  pager({ list: `pqls ${JSON.stringify(query)}`, noun: 'PQLs', params, page: list, change, inexact: picks(query) });

function feed(recent) {
  for (const fact of told) recent.append(moment(fact));
  return el(
    'aside',
    { 'aria-labelledby': 'feed-title' },
    el('h2', { id: 'feed-title' }, 'As it happens'),
    recent,
    note('What happens while this page is open appears here.'),
  );
}

function queryOf(params) {
  const since = params.get('since') || 'today';
  const days = /^([0-9]+)d$/.exec(since);
  return {
    tier: params.get('tier'),
    segment: params.get('segment'),
    playbook: params.get('playbook'),
    sort: params.get('sort'),
    cursor: params.get('cursor'),
    since: since === 'all' ? null : days ? Math.floor((now() - days[1] * DAY) / 60_000) * 60_000 : startOfToday(),
  };
}

// tierCounts asks how many there are in all (by '') and of each tier: total of a list of which one row is read. That of the list itself is known.
// null: totals would not tell how many the filters pick.
async function tierCounts(query, list, tiers, signal) {
  if (tiers.length < 2 || picks(query)) return null;
  const total = async (name) => {
    if (name === (query.tier ?? '')) return list.total;
    return (await get('pqls', { tier: name, since: query.since, limit: 1 }, signal)).total;
  };
  const names = ['', ...tiers.map((t) => t.name)];
  const totals = await Promise.all(names.map(total));
  return new Map(names.map((name, i) => [name, totals[i]]));
}

function strip(query, tiers, counts, change) {
  if (tiers.length < 2) return null;
  return el(
    'div',
    { class: 'strip', role: 'group', 'aria-label': 'Tier' },
    [['', 'All tiers'], ...tiers.map((t) => [t.name, t.name])].map(([name, text]) =>
      el(
        'button',
        {
          type: 'button',
          id: `tier-${name || 'all'}`,
          'aria-pressed': String((query.tier ?? '') === name),
          click: () => change({ tier: name, cursor: '', page: '' }),
        },
        counts && el('span', { class: 'value' }, count(counts.get(name))),
        el('span', { class: 'label' }, text),
      ),
    ),
  );
}

function filters(params, list, catalog, change) {
  const set = (changes) => change({ ...changes, cursor: '', page: '' });
  const segments = catalog?.groupings?.find((g) => g.name === 'segment')?.groups ?? [];
  const among = (of) => [...new Set(list.items.flatMap(of))].filter(Boolean);
  return el(
    'div',
    { class: 'controls' },
    select({
      id: 'since',
      label: 'Qualified',
      options: PERIODS,
      value: params.get('since') || 'today',
      change: (v) => set({ since: v === 'today' ? '' : v }),
    }),
    entry('segment', 'Segment', params, [...new Set([...segments, ...among((r) => r.segments)])].filter(Boolean), set),
    entry(
      'playbook',
      'Playbook',
      params,
      among((r) => r.playbook && [r.playbook.name, r.playbook.refines]),
      set,
    ),
    select({
      id: 'sort',
      label: 'Order',
      value: params.get('sort') ?? '',
      change: (v) => set({ sort: v }),
      options: [
        ['', 'Newest first'],
        ['qualified_at', 'Oldest first'],
      ],
    }),
  );
}

// entry is a filter by a name, of which those that are on the page are proposed.
function entry(name, label, params, proposals, set) {
  return el(
    'div',
    { class: 'field' },
    el('label', { for: name }, label),
    el('input', {
      id: name,
      list: `${name}-list`,
      value: params.get(name) ?? '',
      placeholder: 'any',
      autocomplete: 'off',
      change: (e) => set({ [name]: e.target.value.trim() }),
    }),
    el(
      'datalist',
      { id: `${name}-list` },
      proposals.map((p) => el('option', { value: p })),
    ),
  );
}

function card(row, fresh = false) {
  const node = el(
    'li',
    { class: fresh ? 'card fresh' : 'card', 'data-account': row.account_id },
    el(
      'div',
      { class: 'who' },
      el('h2', {}, accountLink(row.account_id)),
      el(
        'p',
        { class: 'tags' },
        tier(row.tier),
        row.single_user && tag('one user', 'warn'),
        row.segments.map((s) => tag(s)),
      ),
      meter(row.rate, row.threshold),
      el(
        'p',
        { class: 'small muted' },
        'qualified ',
        time(row.qualified_at, { relative: true }),
        row.champion && [' · talk to ', el('span', { class: 'id' }, row.champion)],
      ),
    ),
    el('div', { class: 'evidence' }, steps(row.steps_done, row.steps_missing)),
    nextStep(row.playbook),
  );
  return node;
}

const told = []; // what has happened since the page was opened, the newest first

const SAYS = {
  qualified: 'qualified',
  requalified: 'qualified again',
  escalated: 'escalated',
  disqualified: 'is a PQL no more',
  converted: 'converted',
  near_miss: 'is one step away',
};

function moment(fact) {
  return el(
    'li',
    { class: `fact ${fact.type}` },
    time(fact.occurred_at, { seconds: true }),
    el(
      'span',
      {},
      accountLink(fact.account_id),
      ` ${SAYS[fact.type] ?? words(fact.type)}`,
      fact.step && ` (${words(fact.step)})`,
      fact.reason && `: ${words(fact.reason)}`,
    ),
  );
}

facts.addEventListener('fact', ({ detail: fact }) => {
  if (!SAYS[fact.type]) return;
  told.unshift(fact);
  told.length = Math.min(told.length, 50);
});

// watch takes facts in at once, and what the API makes of them a little later: the more seldom the longer facts keep coming, since all
// who look share what the API answers.
function watch(signal, shown, refresh) {
  let timer = null;
  let wait = SETTLES;
  let last = -Infinity;
  const settle = () => {
    if (timer !== null || signal.aborted) return;
    wait = performance.now() - last < 2 * wait ? Math.min(2 * wait, SETTLES_AT_MOST) : SETTLES;
    timer = setTimeout(look, wait);
  };
  const look = async () => {
    if (document.hidden) {
      document.addEventListener('visibilitychange', look, { once: true, signal });
      return;
    }
    timer = null;
    try {
      await refresh();
      last = performance.now();
    } catch {
      last = performance.now();
      settle(); // what is shown stays until there is an answer
    }
  };
  facts.addEventListener('gap', settle, { signal });
  facts.addEventListener(
    'fact',
    ({ detail: fact }) => {
      if (!SAYS[fact.type]) return;
      shown.recent.prepend(moment(fact));
      while (shown.recent.children.length > 50) shown.recent.lastChild.remove();
      if (fact.type === 'near_miss') return;
      if (shown.first) take(fact, shown);
      say(`${fact.account_id} ${SAYS[fact.type]}`);
      settle();
    },
    { signal },
  );
  signal.addEventListener('abort', () => clearTimeout(timer));
}

function take(fact, shown) {
  for (const old of shown.cards.children) {
    if (old.dataset.account === fact.account_id) {
      old.remove();
      break;
    }
  }
  if (!fact.current || fact.hold_out || !shown.fits(fact)) return;
  shown.none.hidden = true;
  shown.cards.prepend(card(rowOf(fact), true));
}

// fitsQuery says whether the API would list the account of a fact. What a tier advises goes by the tier's playbook too, when it is refined.
function fitsQuery(fact, query, tiers) {
  const advised = fact.playbook?.name ? [fact.playbook.name, tiers.find((t) => t.name === fact.tier)?.playbook] : [];
  return (
    (!query.tier || fact.tier === query.tier) &&
    (!query.segment || fact.segments.includes(query.segment)) &&
    (!query.playbook || advised.includes(query.playbook)) &&
    (!query.since || (fact.qualified_at ?? fact.occurred_at) >= query.since)
  );
}

// rowOf makes of a fact what lists hold.
function rowOf(fact) {
  return {
    ...fact,
    qualified_at: fact.qualified_at ?? fact.occurred_at,
    playbook: fact.playbook?.name ? fact.playbook : null,
    steps_done: fact.steps_done.map((s) => s.id),
    steps_missing: fact.steps_missing.map((s) => s.id),
  };
}
