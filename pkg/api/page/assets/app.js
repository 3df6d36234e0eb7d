// The frame around the views: which view the address names, focus, theme, whether the page is live.

import { Problem } from './api.js';
import { el, focusIn, say } from './dom.js';
import { follow } from './live.js';
import { pqls } from './pqls.js';
import { accounts } from './accounts.js';
import { account } from './account.js';
import { metrics } from './metrics.js';
import { funnel } from './funnel.js';
import { cohorts } from './cohorts.js';
import { pipeline } from './pipeline.js';

const views = { '': pqls, accounts, account, metrics, funnel, cohorts, pipeline };
const main = document.getElementById('main');

let shown = { path: null, controller: null };

// route reads the address: #/metrics?unit=week, or #/accounts/ID for one account.
function route() {
  const [path, query] = location.hash.replace(/^#\/?/, '').split(/\?(.*)/s);
  const [name, ...rest] = path.split('/');
  const one = name === 'accounts' && rest.length > 0;
  let id = null;
  try {
    id = one ? decodeURIComponent(rest.join('/')) : null;
  } catch {
    /* an address that was typed: no account has it */
  }
  return { path, view: views[one ? 'account' : name] ?? null, section: name || 'pqls', id, params: new URLSearchParams(query ?? '') };
}

// show draws the view that the address names. The one before stays until the new one has what it shows.
async function show() {
  const { path, view, section, id, params } = route();
  shown.controller?.abort();
  const controller = new AbortController();
  const moved = path !== shown.path;
  shown = { path, controller };
  mark(section);
  main.setAttribute('aria-busy', 'true');
  let content;
  try {
    if (!view) throw new Problem(404, 'There is no such view', 'Choose one from the list of views.');
    content = await view({ id, params, signal: controller.signal, change, again: show });
  } catch (error) {
    if (controller.signal.aborted) return;
    content = failure(error);
  }
  if (controller.signal.aborted) return;
  put(content, moved);
}

function put(content, moved) {
  const focusAgain = focusIn(main);
  main.replaceChildren(content);
  main.removeAttribute('aria-busy');
  const heading = main.querySelector('h1');
  document.title = heading ? `${heading.textContent} · pqlstream` : 'pqlstream';
  if (moved) {
    scrollTo(0, 0);
    if (!first) main.focus({ preventScroll: true });
    say(heading ? heading.textContent : '');
  } else {
    focusAgain();
  }
  first = false;
}

let first = true;

// NAMED are the parameters of which an empty text is a value.
const NAMED = ['group'];

// change writes parameters of the view into the address, which shows it anew. Those that are empty are left out.
function change(changes) {
  const { path, params } = route();
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === undefined || (value === '' && !NAMED.includes(name))) params.delete(name);
    else params.set(name, value);
  }
  const query = params.toString();
  location.hash = `#/${path}${query ? `?${query}` : ''}`;
}

function failure(error) {
  const problem = error instanceof Problem ? error : new Problem(0, 'This view could not be drawn', String(error.message ?? error));
  if (!(error instanceof Problem)) console.error(error);
  return el(
    'section',
    { class: 'failure' },
    el('h1', {}, problem.title || 'Something went wrong'),
    el('p', {}, problem.message === problem.title ? '' : problem.message),
    el('button', { type: 'button', class: 'main', click: show }, 'Try again'),
  );
}

function mark(section) {
  for (const link of document.querySelectorAll('nav.side a[data-view]')) {
    if (link.dataset.view === section) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
}

const THEMES = [
  ['', 'Auto'],
  ['light', 'Light'],
  ['dark', 'Dark'],
]; // Auto: as the system has it

function theme() {
  const button = document.getElementById('theme');
  const name = () => document.documentElement.dataset.theme ?? '';
  const tell = () => {
    document.getElementById('theme-text').textContent = THEMES.find(([t]) => t === name())[1];
  };
  button.addEventListener('click', () => {
    const next = THEMES[(THEMES.findIndex(([t]) => t === name()) + 1) % THEMES.length][0];
    if (next) document.documentElement.dataset.theme = next;
    else delete document.documentElement.dataset.theme;
    try {
      localStorage.setItem('pqlstream.theme', next);
    } catch {
      /* it holds until the page is left */
    }
    tell();
    dispatchEvent(new Event('theme'));
  });
  tell();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => dispatchEvent(new Event('theme')));
}

function find() {
  const input = document.getElementById('find-id');
  document.getElementById('find').addEventListener('submit', (event) => {
    event.preventDefault();
    const id = input.value.trim();
    if (id) location.hash = `#/accounts/${encodeURIComponent(id)}`;
  });
  let slash = false; // is down, outside of fields
  addEventListener('keydown', (event) => {
    const typing = event.target instanceof Element && event.target.closest('input, select, textarea, dialog');
    slash = event.key === '/' && !typing && !event.ctrlKey && !event.metaKey && !event.altKey;
    if (slash) event.preventDefault();
  });
  addEventListener('keyup', () => {
    if (slash) input.focus();
    slash = false;
  });
}

function skip() {
  document.querySelector('.skip').addEventListener('click', (event) => {
    // the address's fragment is the view's
    event.preventDefault();
    main.focus();
  });
}

const STATES = { connecting: 'connecting', live: 'live', offline: 'offline, trying again' };

theme();
find();
skip();
addEventListener('hashchange', show);
show().then(() =>
  follow((state) => {
    document.getElementById('live').dataset.state = state;
    document.getElementById('live-text').textContent = STATES[state];
  }),
);
