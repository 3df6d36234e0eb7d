// Charts of windows, drawn by uPlot. What a chart shows is in a table beside it, too: canvases can't be read out, nor reached by keyboard.

import { el } from './dom.js';
import { DAY, HOUR, MINUTE } from './format.js';

const uPlot = globalThis.uPlot;

// chart draws series over windows. labels name the windows. A series is {label, values, colour (c1 to c8, or muted), kind, from}:
// kind is line, area, bar, step, before (dashed: a period before) or edge (an interval's upper and lower end, between which is filled);
// from the window at place from on, what is drawn can still change, and is dashed. limits {low, high} are a band over the whole width.
// times, in ms, take the place of windows: points then lie as far apart as they do in time. top is where the scale ends, if not above
// the highest value; ticks are steps that it goes by.
export function chart({ says, labels, series, format, height = 170, limits = null, times = null, top = null, ticks = null }) {
  const plot = el('div', { class: 'plot', role: 'img', 'aria-label': says });
  const shown = series.filter((s) => s.kind !== 'edge');
  const values = shown.map(() => el('span', { class: 'now' }));
  const legend = el(
    'ul',
    { class: 'legend', 'aria-hidden': 'true' },
    el('li', { class: 'window' }, ''),
    shown.map((s, i) => el('li', {}, el('span', { class: `key ${s.kind}`, vars: { key: `var(--${s.colour})` } }), s.label, ' ', values[i])),
  );
  const point = (at) => {
    legend.firstChild.textContent = labels[at] ?? '';
    shown.forEach((s, i) => {
      values[i].textContent = format(s.values[at]);
    });
  };
  point(labels.length - 1);
  live(
    plot,
    (width) =>
      new uPlot(
        options({ width, height, labels, times, top, ticks, series, format, limits, point }),
        data(series, labels.length, times),
        plot,
      ),
  );
  return el('div', { class: 'chart' }, plot, legend);
}

// live draws once the chart has a width, and anew when that or the theme changes.
function live(plot, draw) {
  let drawn = null,
    width = 0;
  const redraw = () => {
    if (!plot.isConnected || width === 0) return;
    drawn?.destroy();
    drawn = draw(width);
  };
  const stop = new AbortController();
  addEventListener('theme', () => (plot.isConnected ? redraw() : stop.abort()), { signal: stop.signal });
  new ResizeObserver(([entry], observer) => {
    if (!plot.isConnected) {
      observer.disconnect();
      stop.abort();
      drawn?.destroy();
      return;
    }
    const w = Math.floor(entry.contentRect.width);
    if (w === width) return;
    width = w;
    redraw();
  }).observe(plot);
}

// parts splits a series into what is drawn solid and what is dashed; they share the last solid point.
function parts(s) {
  if (!(s.from >= 0) || s.from >= s.values.length || s.kind === 'bar') return [{ ...s, from: undefined }];
  return [
    { ...s, values: s.values.map((v, i) => (i < s.from ? v : null)) },
    { ...s, kind: 'open', values: s.values.map((v, i) => (i >= s.from - 1 ? v : null)) },
  ];
}

const data = (series, n, times) => [
  times ?? Array.from({ length: n }, (_, i) => i),
  ...series.flatMap(parts).map((s) => s.values.map((v) => v ?? null)),
];

function options({ width, height, labels, times, top, ticks, series, format, limits, point }) {
  const n = labels.length,
    ink = colour('muted'),
    line = colour('grid');
  const axis = { stroke: ink, font: '11px system-ui, sans-serif', grid: { stroke: line, width: 1 }, ticks: { show: false } };
  const lines = series.flatMap(parts);
  const highest = Math.max(0, limits?.high ?? 0, ...series.flatMap((s) => s.values.filter((v) => v !== null && v !== undefined)));
  return {
    width,
    height,
    legend: { show: false },
    padding: [10, times ? 16 : 6, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
    scales: {
      x: { time: false, range: times ? rangeOf(times) : [-0.5, n - 0.5] },
      y: { range: [0, top ?? (highest === 0 ? 1 : highest * 1.08)] },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 26, space: 64, ...(times ? timeAxis(times) : windowAxis(labels)) },
      { ...axis, size: 52, space: 34, values: (_, at) => at.map(format), ...(ticks ? { incrs: ticks } : {}) },
    ],
    series: [{}, ...lines.map(lineOf)],
    bands: edges(lines),
    hooks: {
      setCursor: [(u) => point(u.cursor.idx ?? n - 1)],
      drawClear: limits ? [(u) => drawLimits(u, limits)] : [],
    },
  };
}

const windowAxis = (labels) => ({
  incrs: [1, 2, 3, 4, 6, 8, 12, 24, 48],
  values: (_, at) => at.map((i) => (labels[i] ?? '').replace(/ \d{4}$/, '')),
});

// timeAxis has days, or hours where there are few days. Its places are those of the viewer's clock.
function timeAxis(times) {
  const [from, to] = rangeOf(times);
  const long = to - from > 3 * DAY;
  const format = new Intl.DateTimeFormat(
    'en-GB',
    long ? { day: 'numeric', month: 'short' } : { weekday: 'short', hour: '2-digit', minute: '2-digit' },
  );
  const shift = new Date(from).getTimezoneOffset() * MINUTE;
  return {
    incrs: long ? [1, 2, 5, 10, 20, 50, 100].map((d) => d * DAY) : [5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY],
    splits: (_, __, min, max, step) => {
      const places = [];
      for (let at = Math.ceil((min - shift) / step) * step + shift; at <= max; at += step) places.push(at);
      return places;
    },
    space: long ? 60 : 80,
    values: (_, at) => at.map((ms) => format.format(ms)),
  };
}

function rangeOf(times) {
  const from = times[0],
    to = times.at(-1),
    margin = Math.max(5 * MINUTE, (to - from) * 0.03);
  return [from - margin, to + margin];
}

function lineOf(s) {
  const stroke = colour(s.colour);
  const points = { show: s.values.filter((v) => v !== null && v !== undefined).length <= 2 };
  switch (s.kind) {
    case 'bar':
      return { stroke, fill: stroke, width: 0, paths: uPlot.paths.bars({ size: [0.62, 44], radius: 0.12 }), points: { show: false } };
    case 'step':
      return {
        stroke,
        width: 2,
        fill: faint(stroke),
        paths: uPlot.paths.stepped({ align: 1 }),
        points: { show: true, size: 6, fill: stroke },
      };
    case 'before':
      return { stroke, width: 1.5, dash: [2, 4], points };
    case 'open':
      return { stroke, width: 2, dash: [5, 4], points };
    case 'edge':
      return { stroke: 'transparent', width: 0, points: { show: false } };
    case 'area':
      return { stroke, width: 2, fill: faint(stroke), points };
    default:
      return { stroke, width: 2, points };
  }
}

function edges(lines) {
  const at = lines
    .map((s, i) => [s, i + 1])
    .filter(([s]) => s.kind === 'edge')
    .map(([, i]) => i);
  return at.length === 2 ? [{ series: at, fill: faint(colour(lines[at[0] - 1].colour)) }] : [];
}

function drawLimits(u, { low, high }) {
  const top = u.valToPos(Math.min(high ?? Infinity, u.scales.y.max), 'y', true);
  const bottom = u.valToPos(Math.max(low ?? 0, 0), 'y', true);
  u.ctx.save();
  u.ctx.fillStyle = faint(colour('good'));
  u.ctx.fillRect(u.bbox.left, top, u.bbox.width, bottom - top);
  u.ctx.restore();
}

// colour reads one of the style sheet's colours, in the theme that is shown.
function colour(name) {
  const probe = document.getElementById('main');
  probe.style.setProperty('outline-color', `var(--${name})`);
  const value = getComputedStyle(probe).outlineColor;
  probe.style.removeProperty('outline-color');
  return value;
}

const faint = (rgb) => rgb.replace(/^rgb\(([^)]+)\)$/, 'rgba($1, 0.14)');

// behind holds the table of what a chart shows.
export function behind(contents) {
  return el('details', { class: 'behind' }, el('summary', {}, 'Show as a table'), contents);
}
