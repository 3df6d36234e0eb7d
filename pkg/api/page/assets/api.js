// What the page asks the API. A token, if the API wants one, is kept for as long as the tab is open.

const TOKEN = 'pqlstream.token';

// Problem is an answer that says what is wrong (RFC 9457).
export class Problem extends Error {
  constructor(status, title, detail) {
    super(detail || title);
    this.status = status;
    this.title = title;
  }
}

// get returns the JSON at a path below /v1. Parameters that are empty are left out; a list is one parameter many times.
export async function get(path, params = {}, signal = undefined) {
  const response = await request(path, params, { signal, headers: { Accept: 'application/json' } });
  return response.json();
}

// request is fetch with the token. It asks for one, and then tries again, as often as the API wants another.
export async function request(path, params, options) {
  const url = `v1/${path}${queryOf(params)}`;
  for (let tries = 1; ; tries++) {
    const token = sessionStorage.getItem(TOKEN);
    const headers = { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
    const response = await reach(url, { ...options, headers });
    if (response.ok) return response;
    if (response.status === 401) await askForToken(token);
    else if (response.status === 429 && tries < 4) await soon(response);
    else throw await problemOf(response);
  }
}

async function reach(url, options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Problem(0, 'pqlstream does not answer', 'The connection failed. It is tried again when you reload, or choose another view.');
  }
}

// soon waits for as long as an answer says that comes too early, within reason.
function soon(response) {
  const seconds = Math.min(Number(response.headers.get('Retry-After')) || 1, 5);
  return new Promise((resolve) => {
    setTimeout(resolve, 1000 * seconds);
  });
}

function queryOf(params) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    for (const v of Array.isArray(value) ? value : [value]) {
      if (v !== null && v !== undefined && v !== '') query.append(name, v);
    }
  }
  const text = query.toString();
  return text ? `?${text}` : '';
}

async function problemOf(response) {
  try {
    const body = await response.json();
    return new Problem(response.status, body.title || response.statusText, body.detail);
  } catch {
    return new Problem(response.status, response.statusText || 'Something went wrong', '');
  }
}

let asking = null;

// askForToken shows one dialog, however many requests wait for it. A token that another request has got meanwhile will do.
function askForToken(refused) {
  if (sessionStorage.getItem(TOKEN) !== refused) return Promise.resolve();
  asking ??= new Promise((resolve) => {
    const dialog = document.getElementById('token-dialog');
    const input = document.getElementById('token');
    document.getElementById('token-wrong').textContent = refused ? 'That token was not accepted.' : '';
    input.value = '';
    const keep = (event) => {
      event.preventDefault();
      sessionStorage.setItem(TOKEN, input.value.trim());
      document.getElementById('token-form').removeEventListener('submit', keep);
      dialog.removeEventListener('cancel', stay);
      dialog.close();
      asking = null;
      resolve();
    };
    const stay = (event) => event.preventDefault(); // without a token there is nothing behind the dialog
    document.getElementById('token-form').addEventListener('submit', keep);
    dialog.addEventListener('cancel', stay);
    dialog.showModal();
    input.focus();
  });
  return asking;
}

// MOST_ROWS is how many rows of metrics the page reads of one metric.
export const MOST_ROWS = 20_000;

// allRows follows cursors to the end, or to as many rows as the page can show: then what it returns is cut.
export async function allRows(path, params, signal) {
  const items = [];
  let cursor = null;
  do {
    const page = await get(path, { ...params, cursor }, signal);
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor && items.length < MOST_ROWS);
  return { items, cut: Boolean(cursor) };
}
