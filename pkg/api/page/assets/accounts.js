// All accounts, a page at a time.

import { get } from './api.js';
import { el, select, table } from './dom.js';
import { time } from './format.js';
import { pager } from './paging.js';
import { accountLink, dots, meter, page, standing, tier } from './parts.js';

const SORTS = [
  ['-changed_at', 'Changed last'],
  ['changed_at', 'Unchanged longest'],
];

export async function accounts({ params, signal, change }) {
  const sort = params.get('sort') || '-changed_at';
  const list = await get('accounts', { sort, cursor: params.get('cursor') }, signal);
  const controls = el(
    'div',
    { class: 'controls' },
    select({
      id: 'sort',
      label: 'Order',
      options: SORTS,
      value: sort,
      change: (v) => change({ sort: v === SORTS[0][0] ? '' : v, cursor: '', page: '' }),
    }),
  );
  const pages = pager({ list: `accounts ${sort}`, noun: 'accounts', params, page: list, change });
  return page(
    'Accounts',
    'Every account that something is known of.',
    controls,
    table({
      caption: 'Accounts',
      columns,
      rows: list.items,
      empty: 'No account is known yet. Accounts appear as their events are read.',
    }),
    pages,
  );
}

const columns = [
  { head: 'Account', key: true, class: 'name', cell: (r) => accountLink(r.account_id) },
  { head: 'Tier', cell: (r) => tier(r.tier) },
  { head: 'Standing', cell: (r) => standing(r) },
  { head: 'Rate / threshold', cell: (r) => meter(r.rate, r.threshold) },
  { head: 'Steps', cell: (r) => dots(r.steps_done, r.steps_missing) },
  {
    head: 'Champion',
    class: 'name',
    cell: (r) => (r.champion ? el('span', { class: 'id' }, r.champion) : el('span', { class: 'muted' }, '–')),
  },
  { head: 'Signed up', cell: (r) => time(r.signed_up_at) },
  { head: 'Changed', cell: (r) => time(r.changed_at) },
];
