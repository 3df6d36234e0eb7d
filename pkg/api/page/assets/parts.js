// Pieces that several views are made of.

import { el } from './dom.js';
import { known, percent, plural, rate, words } from './format.js';

// page is a view's outermost element: its heading, what it says, and what is beside the heading.
export function page(title, says, aside, ...content) {
  return el(
    'div',
    { class: 'view' },
    el('header', { class: 'heading' }, el('div', {}, el('h1', {}, title), says && el('p', { class: 'says' }, says)), aside),
    content,
  );
}

export const note = (...content) => el('p', { class: 'note' }, content);

export const accountLink = (id) => el('a', { class: 'id', href: `#/accounts/${encodeURIComponent(id)}` }, id);

export const tag = (text, kind) => el('span', { class: kind ? `tag ${kind}` : 'tag' }, text);

export const tier = (name) => (name ? tag(name, 'tier') : el('span', { class: 'muted' }, '–'));

// standing says in a word what an account is.
export function standing(row) {
  if (row.excluded) return tag('excluded');
  if (row.converted) return tag('converted', 'good');
  if (row.hold_out) return tag(row.current ? 'PQL, held out' : 'held out', 'warn');
  if (row.current) return tag('PQL', 'accent');
  return tag('not yet');
}

// meter shows an activation rate and the threshold that it is held against.
export function meter(value, threshold) {
  const reached = value >= threshold;
  return el(
    'span',
    { class: 'meter' },
    el(
      'span',
      { class: reached ? 'bar reached' : 'bar', 'aria-hidden': 'true', vars: { at: value, threshold } },
      el('span', {}),
      el('i', {}),
    ),
    el('span', { class: 'of' }, el('b', {}, rate(value)), el('span', { class: 'muted' }, ` / ${rate(threshold)}`)),
  );
}

// steps lists which steps are done and which are missing.
export function steps(done, missing) {
  return el(
    'ul',
    { class: 'steps', 'aria-label': `${done.length} of ${plural(done.length + missing.length, 'step')} done` },
    done.map((id) => el('li', { class: 'done' }, el('span', { class: 'hidden' }, 'done: '), words(id))),
    missing.map((id) => el('li', { class: 'missing' }, el('span', { class: 'hidden' }, 'missing: '), words(id))),
  );
}

// dots show the same in little space; which steps they are is on hover.
export function dots(done, missing) {
  const all = done.length + missing.length;
  const says = [done.length > 0 && `done: ${done.map(words).join(', ')}`, missing.length > 0 && `missing: ${missing.map(words).join(', ')}`]
    .filter(Boolean)
    .join('; ');
  return el(
    'span',
    { class: 'dots', title: says },
    el(
      'span',
      { 'aria-hidden': 'true' },
      done.map(() => el('i', { class: 'full' })),
      missing.map(() => el('i')),
    ),
    el('span', { class: 'muted small' }, `${done.length} of ${all}`),
    el('span', { class: 'hidden' }, `: ${says}`),
  );
}

// nextStep shows what a playbook advises.
export function nextStep(playbook, level = 'h3') {
  if (!playbook) return el('p', { class: 'muted' }, 'Nothing is advised.');
  const facts = [
    ['Queue', playbook.queue],
    ['Owner', playbook.owner],
    ['Message', playbook.message],
    ['Takes the place of', playbook.refines],
  ].filter(([, value]) => value);
  return el(
    'div',
    { class: 'next' },
    el(level, {}, playbook.name),
    el('p', { class: 'action' }, playbook.action),
    playbook.reason && el('p', { class: 'why' }, playbook.reason),
    facts.length > 0 &&
      el(
        'dl',
        { class: 'inline' },
        facts.map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value))),
      ),
  );
}

// delta says how a number compares to the one before. better: 1 if more is better, -1 if less is, 0 if neither; points: it is a share,
// the difference is told in points.
export function delta(value, before, { better = 1, points = false, than = 'the period before' } = {}) {
  if (!known(value) || !known(before) || (!points && before === 0)) return el('span', { class: 'delta muted' }, 'nothing to compare with');
  const change = points ? value - before : value / before - 1;
  const direction = Math.abs(change) < 0.0005 ? 0 : Math.sign(change);
  const kind = ['bad', 'muted', 'good'][direction * better + 1];
  const size = points ? `${Math.abs(100 * change).toFixed(1)} points` : percent(Math.abs(change), 0);
  const [sign, word] = DIRECTIONS[direction + 1];
  return el(
    'span',
    { class: `delta ${kind}`, title: `${size} ${word} ${than}` },
    el('b', {}, el('span', { 'aria-hidden': 'true' }, sign), ` ${size}`),
    el('span', { class: 'hidden' }, ` ${word} ${than}`),
  );
}

const DIRECTIONS = [
  ['▼', 'below'],
  ['=', 'as in'],
  ['▲', 'above'],
];

// figure is a number with what it is.
export function figure(label, value, ...below) {
  return el('div', { class: 'figure' }, el('span', { class: 'label' }, label), el('span', { class: 'value' }, value), below);
}
