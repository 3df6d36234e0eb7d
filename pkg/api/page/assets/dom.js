// Elements are made here and nowhere else. Whatever a value holds becomes text, never markup.

const SVG = 'http://www.w3.org/2000/svg';

// el makes an element. Attributes that are null, undefined or false are left out; functions are listeners. Children are nodes, texts,
// or lists of both; null ones are left out.
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

// svg is el for shapes.
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === 'function') node.addEventListener(name, value);
    else if (name === 'vars') setVars(node, value);
    else node.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) node.append(child);
  }
  return node;
}

// setVars sets custom properties, which the style sheet reads. A style attribute would break the content security policy.
export function setVars(node, vars) {
  for (const [name, value] of Object.entries(vars)) node.style.setProperty(`--${name}`, String(value));
}

// table makes a table. A column is {head, cell(row), number, key, class}; key: the cell that names the row.
export function table({ caption, columns, rows, hideCaption = true, rowAttributes = () => ({}), empty = 'Nothing' }) {
  const head = el(
    'tr',
    {},
    columns.map((c) => el('th', { scope: 'col', class: classes(c) }, c.head)),
  );
  const body = rows.map((row) =>
    el(
      'tr',
      rowAttributes(row),
      columns.map((c) => el(c.key ? 'th' : 'td', { scope: c.key ? 'row' : null, class: classes(c) }, c.cell(row))),
    ),
  );
  if (rows.length === 0) body.push(el('tr', {}, el('td', { colspan: columns.length, class: 'empty' }, empty)));
  return el(
    'div',
    { class: 'scroll', tabindex: 0, role: 'group', 'aria-label': caption },
    el('table', {}, el('caption', { class: hideCaption ? 'hidden' : null }, caption), el('thead', {}, head), el('tbody', {}, body)),
  );
}

const classes = (column) => [column.number && 'number', column.class].filter(Boolean).join(' ') || null;

// focusIn remembers what is focused within a node. It returns what focuses it again once that is drawn anew.
export function focusIn(node) {
  const selector = node.contains(document.activeElement) ? selectorOf(document.activeElement) : '';
  return () => {
    if (selector) node.querySelector(selector)?.focus({ preventScroll: true });
  };
}

// selectorOf finds what was focused again once it is drawn anew.
function selectorOf(node) {
  if (node.id) return `#${CSS.escape(node.id)}`;
  if (node.matches('[role=group][aria-label]')) return `[aria-label="${CSS.escape(node.getAttribute('aria-label'))}"]`;
  return node.hasAttribute('href') ? `a[href="${CSS.escape(node.getAttribute('href'))}"]` : '';
}

// say has a screen reader say something.
export function say(text) {
  document.getElementById('said').textContent = text;
}

// select makes a labelled choice. Options are texts or [value, text].
export function select({ id, label, options, value, change }) {
  const list = el(
    'select',
    { id, change: (e) => change(e.target.value) },
    options.map((o) => {
      const [v, text] = Array.isArray(o) ? o : [o, o];
      return el('option', { value: v, selected: v === value }, text);
    }),
  );
  return el('div', { class: 'field' }, el('label', { for: id }, label), list);
}
