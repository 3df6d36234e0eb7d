// New PQLs as they come: server-sent events, read with fetch since EventSource can't send a token.

import { request } from './api.js';

// facts tells of each fact ('fact', with the fact as detail), and of facts that were missed ('gap').
export const facts = new EventTarget();

const LONGEST_WAIT = 30_000;
let lastID = '';

// follow reads events for as long as the page is open. state is told connecting, live or offline.
export async function follow(state) {
  for (let wait = 1000; ; wait = Math.min(2 * wait, LONGEST_WAIT)) {
    state('connecting');
    try {
      const response = await request(
        'pqls/events',
        {},
        { headers: { Accept: 'text/event-stream', ...(lastID ? { 'Last-Event-ID': lastID } : {}) } },
      );
      state('live');
      wait = 1000;
      await read(response.body.pipeThrough(new TextDecoderStream()).getReader());
    } catch {
      /* shown as offline */
    }
    state('offline');
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
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
    if (line.startsWith('id')) lastID = value;
    if (line.startsWith('data')) data += (data && '\n') + value;
  }
  if (type === 'gap') facts.dispatchEvent(new Event('gap'));
  else if (data) facts.dispatchEvent(new CustomEvent('fact', { detail: JSON.parse(data) }));
}
