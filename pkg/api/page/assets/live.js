// New PQLs as they come: server-sent events, read with fetch since EventSource can't send a token.

import { request } from './api.js';

// facts tells of each fact ('fact', with the fact as detail), and of facts that were missed ('gap').
export const facts = new EventTarget();

const LONGEST_WAIT = 30_000;
let lastID = '';
let missing = false; // facts may be, of which no id is known

// follow reads events for as long as the page is open, and shown: browsers hold few connections to one host, which tabs that nobody looks at
// would take from the others. What happened meanwhile comes when it is shown again. state is told connecting, live or offline.
export async function follow(state) {
  for (let wait = 1000; ; wait = Math.min(2 * wait, LONGEST_WAIT)) {
    await shown();
    state('connecting');
    const hidden = whenHidden();
    try {
      const headers = { Accept: 'text/event-stream', ...(lastID ? { 'Last-Event-ID': lastID } : {}) };
      const response = await request('pqls/events', {}, { headers, signal: hidden });
      state('live');
      wait = 1000;
      if (missing) facts.dispatchEvent(new Event('gap'));
      missing = !lastID; // without an id nothing says what has happened until the next connection
      await read(response.body.pipeThrough(new TextDecoderStream()).getReader());
    } catch {
      /* shown as offline */
    }
    state('offline');
    if (hidden.aborted) wait = 500; // again 1 s from the next time on
    else await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

// shown waits until somebody may look at the page.
function shown() {
  return new Promise((resolve) => {
    const look = () => {
      if (document.hidden) return;
      document.removeEventListener('visibilitychange', look);
      resolve();
    };
    document.addEventListener('visibilitychange', look);
    look();
  });
}

// whenHidden returns a signal that is given once the page is hidden.
function whenHidden() {
  const controller = new AbortController();
  const look = () => {
    if (document.hidden) controller.abort();
  };
  document.addEventListener('visibilitychange', look, { signal: controller.signal });
  return controller.signal;
}

async function read(reader) {
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).replaceAll('\r\n', '\n').split('\n\n');
    rest = blocks.pop();
    for (const block of blocks) publish(block);
  }
}

// publish takes one event: lines of `name: value`.
function publish(block) {
  let data = '',
    type = '';
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    if (colon <= 0) continue; // a comment keeps the connection open
    const value = line.slice(colon + 1).replace(/^ /, '');
    if (line.startsWith('event')) type = value;
    if (line.startsWith('id')) {
      lastID = value;
      missing = false;
    }
    if (line.startsWith('data')) data += (data && '\n') + value;
  }
  if (type === 'gap') facts.dispatchEvent(new Event('gap'));
  else if (data) facts.dispatchEvent(new CustomEvent('fact', { detail: JSON.parse(data) }));
}
