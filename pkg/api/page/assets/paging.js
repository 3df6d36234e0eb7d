// Lists a page at a time. The API has cursors, which lead forward only: the way back is remembered.

import { el } from './dom.js';
import { count } from './format.js';

const trails = new Map(); // by what is listed: the cursors of its pages so far, the first of which has none

// pager shows where a list stands, and leads on. list names what is listed, without the page.
export function pager({ list, noun, params, page, change, inexact = false }) {
  const number = Math.max(1, Number(params.get('page')) || 1);
  const trail = trails.get(list) ?? [''];
  trails.set(list, trail);
  trail[number - 1] = params.get('cursor') ?? '';
  const turn = (to, cursor) => change({ page: to > 1 ? to : '', cursor: to > 1 ? cursor : '' });
  const back = number > 1 && (number === 2 || trail[number - 2]);
  return el(
    'nav',
    { class: 'pager', 'aria-label': 'Pages' },
    el(
      'span',
      { class: 'muted', id: 'pager-total' },
      `Page ${count(number)}`,
      inexact ? `, chosen from ${count(page.total)} ${noun}` : ` · ${count(page.total)} ${noun}`,
    ),
    el(
      'span',
      { class: 'buttons' },
      el('button', { type: 'button', id: 'page-first', disabled: number === 1, click: () => turn(1) }, 'First'),
      el('button', { type: 'button', id: 'page-back', disabled: !back, click: () => turn(number - 1, trail[number - 2]) }, 'Back'),
      el(
        'button',
        { type: 'button', id: 'page-next', disabled: !page.next_cursor, click: () => turn(number + 1, page.next_cursor) },
        'Next',
      ),
    ),
  );
}
