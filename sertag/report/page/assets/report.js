'use strict';
// The part of the page that answers: a windowed table, one call with its timelines, playback and verdicts.
// All text enters by textContent; nothing is fetched, and audio elements alone play (Web Audio is silent from file:).
(() => {
const ROWS = 60, ROW_PX = 34, STEP_S = 5, FLOOR_DB = -60;
const COLUMNS = [ // key, heading, classes; `far` ones are left out on narrow screens
  ['name', 'Recording', ''], ['who', 'Channel', ''], ['day', 'Day', 'far'], ['result', 'Result', ''],
  ['confidence', 'Conf.', 'n far'], ['attention', 'Attention', 'n'], ['peak_start_s', 'Worst at', 'n far'],
  ['trend', 'Trend', 'n far'], ['talk_pct', 'Talks', 'n far'], ['overtalk_s', 'Overtalk', 'n far'],
  ['duration_s', 'Length', 'n far'], ['verdict', 'Verdict', 'far'],
];
const FILTERS = ['status', 'role', 'emotion', 'sentiment', 'day'];
const SVG = 'http://www.w3.org/2000/svg';
const $ = (id) => document.getElementById(id);
let R, C, marks, markOf, count, firstRow = [], view, state = {sort: 'attention', dir: 'desc'}, hay, ranks = {};
let picked = -1, chosen = null, windows = new Map(), total = 1, source = null, pending = null, drawn = -1;

function node(tag, props = {}, ...kids) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else if (name in made && name !== 'role') made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...kids.filter((kid) => kid !== null));
  return made;
}
function shape(tag, props = {}, text = null) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(props)) made.setAttribute(name, value);
  if (text !== null) made.textContent = text;
  return made;
}
function swatch(style, letter) {
  const made = shape('svg', {class: 'swatch', width: 18, height: 14, 'aria-hidden': 'true'});
  made.append(shape('rect', {width: 18, height: 14, rx: 2, fill: `url(#h-${style})`}));
  if (letter) made.append(shape('text', {x: 9, y: 11, 'text-anchor': 'middle'}, letter));
  return made;
}
const clock = (s) => {
  if (s === null || s === undefined) return '';
  const m = Math.floor(s / 60), h = Math.floor(m / 60), two = (x) => String(x).padStart(2, '0');
  return h ? `${h}:${two(m % 60)}:${two(Math.floor(s) % 60)}` : `${m}:${two(Math.floor(s) % 60)}`;
};
const percent = (x) => (x === null ? '' : `${Math.round(100 * x)} %`);
const say = (text) => { $('said').textContent = text; };
const STATUS_STYLE = {ok: 'neu1', uncertain: 'unsure', no_speech: 'nothing', too_short: 'nothing'};

// What a row is called

const path = (i) => C.path[R.call[i]];
const shownPath = (i) => C.name[R.call[i]] ?? path(i);
const baseName = (i) => shownPath(i).replace(/^.*\/(?=.)/s, '');
const who = (i) => R.role[i] || (R.channel[i] === null ? '' : R.channel[i] === 'mix' ? 'mix' : `channel ${R.channel[i]}`);
const urgency = (i) => R.attention[i] ?? R.peak_score[i];
const label = (i) => (R.status[i] === 'ok' && R.emotion[i] ? R.emotion[i] : '');
const result = (i) => label(i) || R.status[i] || '';

// Data

async function load() {
  const binary = atob($('data').textContent.trim());
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  const data = JSON.parse(await new Response(stream).text());
  $('data').remove();
  ({rows: R, calls: C, marks} = data);
  markOf = new Map(marks.map((mark) => [mark.label, mark]));
  count = R.call.length;
  for (let i = count - 1; i >= 0; i--) firstRow[R.call[i]] = i;
}

// Verdicts: in this browser where it keeps anything, else in this page

const STORE = `sertag verdicts ${location.pathname}`;
let verdicts = new Map(), kept = true, saved = true;
function loadVerdicts() {
  try {
    const known = JSON.parse(localStorage.getItem(STORE) ?? '[]');
    if (Array.isArray(known)) verdicts = new Map(known.filter((v) => v && v.path !== undefined).map((v) => [verdictKey(v), v]));
  } catch { kept = false; }
}
const verdictKey = (v) => JSON.stringify([v.path, v.channel, v.start_s]);
function target() {
  if (picked < 0) return null;
  const whole = {path: path(picked), channel: R.channel[picked], start_s: null, end_s: null, label: label(picked)};
  if (chosen === null) return whole;
  const w = windowsOf(picked), code = w.code[chosen];
  const [start_s, end_s] = [w.start[chosen] / 1000, (w.start[chosen] + w.length[chosen]) / 1000];
  return {...whole, start_s, end_s, label: code >= 0 ? marks[code].label : ''};
}
function storedVerdict(where) { // one about another label, of another model, is none about this one
  const known = verdicts.get(verdictKey(where));
  return known && known.label === where.label ? known.verdict : '';
}
function judge(verdict) {
  const where = target();
  if (!where || !where.label) return say('There is no label to judge.');
  if (kept) loadVerdicts(); // the same page may be open twice
  if (verdict === '') verdicts.delete(verdictKey(where));
  else verdicts.set(verdictKey(where), {...where, verdict});
  saved = false;
  try { localStorage.setItem(STORE, JSON.stringify([...verdicts.values()])); kept = true; } catch { kept = false; }
  if (state.sort === 'verdict') delete ranks.verdict;
  say(verdict ? `${verdict}: ${where.label}` : 'no verdict');
  showVerdicts(); showQuestion(); draw(true);
}
function skip() {
  judgeQuietly();
  if (chosen === null) move(1); else if (!nextNegative()) say('No further negative window in this call.');
}
function judgeQuietly() { const where = target(); if (where && storedVerdict(where)) judge(''); }
function showVerdicts() {
  const n = verdicts.size;
  $('save').disabled = n === 0;
  $('save').textContent = n === 0 ? 'No verdicts yet' : `Download ${n} verdict${n === 1 ? '' : 's'}${kept ? '' : ' (not kept by this browser)'}`;
}
function csv() {
  const cell = (value) => {
    let text = value === null ? '' : typeof value === 'number' ? value.toFixed(3) : String(value);
    if (typeof value === 'string' && /^'*[=+\-@\t]/.test(text)) text = `'${text}`; // as in the tables of sertag
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [...verdicts.values()].map((v) =>
    [v.path, v.channel === null ? '' : String(v.channel), v.start_s, v.end_s, v.verdict, v.label].map(cell).join(','));
  return ['path,channel,start_s,end_s,verdict,label', ...lines, ''].join('\n');
}
function download() {
  const url = URL.createObjectURL(new Blob([csv()], {type: 'text/csv'}));
  node('a', {href: url, download: 'verdicts.csv'}).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
  saved = true;
}

// Table: filter, sort, and only the rows in sight

function matches() {
  const wanted = FILTERS.filter((name) => state[name]).map((name) => [name, state[name]]);
  const words = (state.q ?? '').toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length && !hay) {
    hay = R.call.map((_, i) => [shownPath(i), who(i), result(i), R.sentiment[i], R.error_code[i], R.error[i]].join(' ').toLowerCase());
  }
  const value = (name, i) => (name === 'day' ? C.day[R.call[i]] : name === 'emotion' ? label(i) : R[name][i]) ?? '';
  const found = [];
  for (let i = 0; i < count; i++) {
    if (wanted.every(([name, want]) => value(name, i) === want) && words.every((word) => hay[i].includes(word))) found.push(i);
  }
  return found;
}
function rank(key) { // a number for every row, by which it is sorted; NaN comes last
  if (ranks[key]) return ranks[key];
  const made = new Float64Array(count).fill(NaN);
  const texts = {name: baseName, who, day: (i) => C.day[R.call[i]], result: (i) => (label(i) ? ` ${label(i)}` : result(i)), verdict: wholeVerdict}[key];
  if (texts) {
    const own = R.call.map((_, i) => texts(i));
    const order = [...new Set(own)].filter(Boolean).sort((a, b) => (a < b ? -1 : 1));
    const places = new Map(order.map((text, place) => [text, place]));
    own.forEach((text, i) => { if (text) made[i] = places.get(text); });
  } else {
    const of = key === 'attention' ? urgency : (i) => R[key][i];
    for (let i = 0; i < count; i++) made[i] = of(i) ?? NaN;
  }
  ranks[key] = made;
  return made;
}
function wholeVerdict(i) {
  return verdicts.size && label(i) ? storedVerdict({path: path(i), channel: R.channel[i], start_s: null, label: label(i)}) : '';
}
function refresh() {
  const by = rank(state.sort), sign = state.dir === 'asc' ? 1 : -1;
  view = matches();
  view.sort((a, b) => {
    const [x, y] = [by[a], by[b]];
    if (x !== x || y !== y) return (x !== x) - (y !== y) || a - b;
    return sign * (x - y) || a - b;
  });
  $('count').textContent = view.length === count ? count.toLocaleString('en') : `${view.length.toLocaleString('en')} of ${count.toLocaleString('en')}`;
  for (const head of $('heads').children) {
    head.setAttribute('aria-sort', head.dataset.key === state.sort ? (state.dir === 'asc' ? 'ascending' : 'descending') : 'none');
  }
  $('table').setAttribute('aria-rowcount', view.length + 1);
  $('clear').hidden = !(state.q || FILTERS.some((name) => state[name]));
  draw(true);
}
function draw(force = false) {
  const top = Math.max(0, Math.min(Math.floor($('scroll').scrollTop / ROW_PX) - 15, view.length - ROWS));
  if (!force && Math.abs(top - drawn) < 8) return;
  drawn = top;
  const shown = view.slice(top, top + ROWS);
  const active = document.activeElement?.dataset?.row;
  const gap = (rows) => {
    const cell = node('td');
    cell.style.height = `${rows * ROW_PX}px`;
    return node('tr', {className: 'gap', 'aria-hidden': 'true'}, cell);
  };
  const lines = shown.map((i, place) => tableRow(i, top + place));
  if (!shown.length) lines.push(node('tr', {}, node('td', {colSpan: 4, textContent: count ? 'Nothing matches the filters.' : 'The tables have no rows.'})));
  $('rows').replaceChildren(gap(top), ...lines, gap(view.length - top - shown.length));
  if (active) $('rows').querySelector(`[data-row="${active}"]`)?.focus({preventScroll: true});
}
function tableRow(i, place) {
  const mark = markOf.get(label(i)), style = mark?.style ?? STATUS_STYLE[R.status[i]] ?? 'failed', attention = urgency(i);
  const cells = {
    who: [who(i)], day: [C.day[R.call[i]]],
    result: [swatch(style, mark?.letter), node('span', {className: mark ? '' : 'muted', textContent: result(i), title: R.error[i] ?? ''})],
    confidence: [percent(R.confidence[i])],
    attention: attention === null ? [] : [attention.toFixed(2), bar(attention)],
    peak_start_s: [clock(R.peak_start_s[i])],
    trend: R.trend_label[i] ? [node('span', {role: 'img', title: R.trend_label[i], 'aria-label': R.trend_label[i], textContent: {improving: '↘', worsening: '↗'}[R.trend_label[i]] ?? '→'})] : [],
    talk_pct: [R.talk_pct[i] === null ? '' : `${Math.round(R.talk_pct[i])} %`],
    overtalk_s: [R.overtalk_s[i] === null ? '' : `${R.overtalk_s[i].toFixed(1)} s`],
    duration_s: [clock(R.duration_s[i])], verdict: [wholeVerdict(i)],
  };
  const name = node('button', {className: 'link', textContent: baseName(i), title: shownPath(i), 'data-row': i});
  const line = node('tr', {className: i === picked ? 'picked' : '', 'aria-rowindex': place + 2, onclick: () => open(i)}, node('th', {scope: 'row'}, name));
  for (const [key, , kind] of COLUMNS.slice(1)) line.append(node('td', {className: kind}, ...cells[key]));
  return line;
}
function bar(share) {
  const made = shape('svg', {class: 'bar', width: 36, height: 8, 'aria-hidden': 'true'});
  made.append(shape('rect', {class: 'track', width: 36, height: 8}), shape('rect', {width: 36 * share, height: 8, fill: 'url(#h-neg0)'}));
  return made;
}
function buildTable() {
  if (new Set(C.day).size < 2) COLUMNS.splice(COLUMNS.findIndex(([key]) => key === 'day'), 1);
  for (const [key, heading, kind] of COLUMNS) {
    $('heads').append(node('th', {scope: 'col', 'aria-sort': 'none', 'data-key': key, className: `${kind} c-${key}`},
      node('button', {textContent: heading, onclick: () => sortBy(key, kind)})));
  }
  const options = {status: R.status, role: R.role, emotion: R.emotion.map((_, i) => label(i)), sentiment: R.sentiment, day: C.day};
  for (const name of FILTERS) {
    const values = [...new Set(options[name])].filter(Boolean).sort();
    $(`f-${name}`).append(node('option', {value: '', textContent: 'all'}), ...values.map((value) => node('option', {value, textContent: value})));
    $(`f-${name}`).parentElement.hidden = values.length < (name === 'status' ? 1 : 2) && name !== 'emotion';
    $(`f-${name}`).addEventListener('change', (event) => change({[name]: event.target.value}));
  }
  $('f-text').addEventListener('input', (event) => change({q: event.target.value}));
  $('filters').addEventListener('submit', (event) => event.preventDefault());
  $('clear').addEventListener('click', () => change(Object.fromEntries([['q', ''], ...FILTERS.map((name) => [name, ''])])));
  $('scroll').addEventListener('scroll', () => requestAnimationFrame(() => draw()), {passive: true});
}
function sortBy(key, kind) {
  const first = kind.startsWith('n') ? 'desc' : 'asc';
  const other = {asc: 'desc', desc: 'asc'};
  change({sort: key, dir: state.sort === key ? other[state.dir] : first});
}

// State in the address

function change(changes) {
  Object.assign(state, changes);
  writeHash();
  $('scroll').scrollTop = 0;
  refresh();
  showFilters();
}
function writeHash() {
  const usual = {sort: 'attention', dir: 'desc'};
  const known = new URLSearchParams(Object.entries(state).filter(([name, value]) => value && value !== usual[name]));
  try { history.replaceState(null, '', `#${known}`); } catch { /* a page inside another one may not */ }
}
function readHash() {
  const given = new URLSearchParams(location.hash.slice(1));
  const only = [...given.keys()].every((name) => name === 'call' || name === 'channel');
  if (!only || !given.has('call')) { // a link to a call leaves the filters alone
    state = {sort: COLUMNS.some(([key]) => key === given.get('sort')) ? given.get('sort') : 'attention', dir: given.get('dir') === 'asc' ? 'asc' : 'desc', q: given.get('q') ?? ''};
    for (const name of FILTERS) state[name] = given.get(name) ?? '';
  }
  showFilters();
  refresh();
  const call = given.has('call') ? C.path.indexOf(given.get('call')) : -1;
  if (call >= 0) open(rowOf(call, given.get('channel')));
  else if (given.has('call')) say('That call is not in this report.');
}
function rowOf(call, channel) {
  const rows = rowsOf(call);
  return rows.find((i) => channel !== null && String(R.channel[i]) === channel) ?? rows.reduce((a, b) => ((urgency(b) ?? -1) > (urgency(a) ?? -1) ? b : a));
}
function showFilters() {
  for (const name of FILTERS) {
    const select = $(`f-${name}`);
    if (![...select.options].some((option) => option.value === (state[name] ?? ''))) { // from an old address
      select.append(node('option', {value: state[name], textContent: state[name]}));
    }
    select.value = state[name] ?? '';
  }
  if ($('f-text').value !== (state.q ?? '')) $('f-text').value = state.q ?? '';
}

// One call

function rowsOf(call) {
  const rows = [];
  for (let i = firstRow[call]; i < count && R.call[i] === call; i++) rows.push(i);
  return rows;
}
function windowsOf(i) {
  if (!windows.has(i)) windows.set(i, R.windows[i] ? JSON.parse(R.windows[i]) : {start: [], length: [], code: [], confidence: [], speech: [], level: []});
  return windows.get(i);
}
function open(i) {
  const other = picked < 0 || R.call[i] !== R.call[picked];
  picked = i; chosen = null;
  $('call').hidden = false;
  document.body.classList.add('open');
  const rows = rowsOf(R.call[i]);
  if (other) {
    windows.clear();
    total = Math.max(0.001, ...rows.map((row) => R.duration_s[row] ?? 0), ...rows.flatMap((row) => { const w = windowsOf(row), n = w.start.length; return n ? [(w.start[n - 1] + w.length[n - 1]) / 1000] : []; }));
    pick();
    $('call').scrollTop = 0;
    $('list').open = false;
  }
  Object.assign(state, {call: path(i), channel: R.channel[i] === null ? '' : String(R.channel[i])});
  writeHash();
  $('call-name').textContent = baseName(i);
  $('call-name').title = shownPath(i);
  showFacts(rows);
  showChannels(rows);
  drawTimeline();
  showQuestion();
  showReadout(at);
  draw(true);
}
function closeCall() {
  $('audio').pause();
  $('call').hidden = true;
  document.body.classList.remove('open');
  const row = picked;
  picked = -1; chosen = null;
  change({call: '', channel: ''});
  $('rows').querySelector(`[data-row="${row}"]`)?.focus();
}
function showFacts(rows) {
  const i = rows[0], of = (key, text) => (R[key][i] === null ? null : text(R[key][i]));
  const facts = [shownPath(i), C.day[R.call[i]], clock(total < 0.01 ? null : total), of('sample_rate', (x) => `${x.toLocaleString('en')} Hz`),
    of('silence_s', (x) => `nobody speaks ${x.toFixed(1)} s, at most ${R.longest_silence_s[i]?.toFixed(1) ?? '?'} s at a time`),
    rows.length > 1 ? of('overtalk_s', (x) => `overtalk ${x.toFixed(1)} s`) : null];
  $('call-facts').textContent = facts.filter(Boolean).join(' · ');
}
function showChannels(rows) {
  $('channels').replaceChildren(...rows.map((i) => {
    const mark = markOf.get(label(i));
    const quarters = [1, 2, 3, 4].map((q) => R[`neg_q${q}`][i]);
    const probs = (R.probs[i] ?? []).map((p, k) => [p, marks[k].label]).filter(([p]) => p >= 0.05).sort((a, b) => b[0] - a[0]);
    const first = node('p', {}, swatch(mark?.style ?? STATUS_STYLE[R.status[i]] ?? 'failed', mark?.letter), node('b', {textContent: who(i)}),
      ` ${result(i)}${label(i) ? ` ${percent(R.confidence[i])}` : ''}`, R.sentiment[i] && label(i) ? ` · ${R.sentiment[i]}` : '', urgency(i) === null ? '' : ` · attention ${urgency(i).toFixed(2)}`);
    const more = [R.talk_pct[i] === null ? '' : `talks ${R.talk_pct[i].toFixed(0)} %`, R.interruptions[i] === null ? '' : `interrupts ${R.interruptions[i]}×`,
      R.loudness_dbfs[i] === null ? '' : `${R.loudness_dbfs[i].toFixed(0)} dBFS`, R.trend_label[i] ?? '',
      probs.length > 1 ? probs.map(([p, name]) => `${name} ${percent(p)}`).join(', ') : ''].filter(Boolean).join(' · ');
    const second = node('p', {className: 'note'});
    if (quarters.some((q) => q !== null)) second.append('negative ', quarterBars(quarters), ` ${quarters.map((q) => (q === null ? '–' : Math.round(100 * q))).join(' ')} % · `);
    second.append(more);
    const error = R.error[i] ? node('p', {className: 'note', textContent: R.error[i].replace(`${path(i)}: `, '')}) : null;
    return node('div', {className: i === picked ? 'picked' : '', role: 'button', tabIndex: 0, 'aria-pressed': String(i === picked), onclick: () => open(i),
      onkeydown: (event) => { if (event.key === 'Enter') open(i); }}, first, second, error);
  }));
}
function quarterBars(values) {
  const made = shape('svg', {class: 'quarters', width: 42, height: 12, role: 'img', 'aria-label': 'by quarter of the call'});
  values.forEach((value, q) => {
    const height = value === null ? 1 : Math.max(1.5, 12 * value);
    made.append(shape('rect', {class: value === null ? 'track' : 'f-neg0', x: 11 * q, y: 12 - height, width: 9, height}));
  });
  return made;
}

// Timelines

function laneRows() { return rowsOf(R.call[picked]).filter((i) => R.channel[i] !== null); }
function drawTimeline() {
  const rows = laneRows(), box = $('timeline'), width = Math.max(200, box.clientWidth), x = (s) => (s / total) * width;
  box.hidden = rows.length === 0;
  if (!rows.length) return box.replaceChildren();
  const lane = rows.length > 2 ? 52 : 70, height = rows.length * lane + 18;
  const svg = shape('svg', {viewBox: `0 0 ${width} ${height}`, height, 'aria-hidden': 'true'});
  rows.forEach((i, place) => svg.append(...laneShapes(i, place * lane, lane, width, x)));
  if (source?.inside) svg.append(shape('rect', {class: 'inside', x: x(source.from), width: x(source.to) - x(source.from), height: height - 18}));
  svg.append(...axis(width, height, x));
  if (chosen !== null) {
    const w = windowsOf(picked), place = rows.indexOf(picked);
    svg.append(shape('rect', {class: 'chosen', x: x(w.start[chosen] / 1000), width: x(w.length[chosen] / 1000), y: place * lane + 1, height: lane - 4}));
  }
  svg.append(shape('line', {class: 'cursor', id: 'cursor', y1: 0, y2: height - 16}));
  box.replaceChildren(svg);
  box.setAttribute('aria-valuemax', Math.round(total));
  moveCursor();
  if ($('list').open) listWindows();
}
function laneShapes(i, top, lane, width, x) {
  const w = windowsOf(i), strip = 16, middle = top + (lane - strip - 4) / 2, half = (lane - strip - 8) / 2, made = [];
  made.push(shape('rect', {class: 'lane', y: top, width, height: lane - 4}));
  const peaks = C.peaks[R.call[i]]?.[Number.isInteger(R.channel[i]) ? R.channel[i] : 0];
  const outline = peaks ? peakOutline(peaks, width) : envelope(w, x);
  if (outline.length) {
    const up = outline.map(([at, h]) => `${at.toFixed(1)},${(middle - h * half).toFixed(1)}`);
    const down = outline.map(([at, h]) => `${at.toFixed(1)},${(middle + h * half).toFixed(1)}`).reverse();
    made.push(shape('path', {class: 'wave', d: `M${up.join('L')}L${down.join('L')}Z`}));
  } else {
    made.push(shape('text', {x: 8, y: middle + 4}, R.status[i] === 'ok' || R.status[i] === 'uncertain' ? 'no windows here: give the report --segments, or JSON Lines' : ''));
  }
  made.push(shape('line', {class: 'lane-line', x2: width, y1: middle, y2: middle}));
  for (const run of runs(w)) {
    const left = x(run.from / 1000), wide = Math.max(1, x((run.to - run.from) / 1000) - 0.5), mark = marks[run.code];
    const style = mark?.style ?? (run.code === -2 ? 'nothing' : 'unsure');
    const rect = shape('rect', {x: left, y: top + lane - strip - 4, width: wide, height: strip, fill: `url(#h-${style})`});
    made.push(rect);
    if (mark && wide > 12) made.push(shape('text', {class: 'letter', x: left + wide / 2, y: top + lane - 8, 'text-anchor': 'middle'}, wide > 9 * mark.label.length ? mark.label : mark.letter));
  }
  const peak = R.peak_start_s[i];
  if (peak !== null) made.push(shape('path', {class: 'peak', d: `M${x(peak).toFixed(1)},${top}h9l-9,9z`}));
  made.push(shape('text', {x: width - 4, y: top + 12, 'text-anchor': 'end'}, who(i)));
  return made;
}
function envelope(w, x) { // steps; between windows that do not touch there is nothing
  const made = [];
  w.start.forEach((start, k) => {
    const end = start + w.length[k], next = w.start[k + 1] ?? Infinity, to = Math.min(end, next);
    const h = (Math.max(0, w.level[k] - FLOOR_DB) / -FLOOR_DB) * Math.sqrt(w.speech[k] / 100);
    made.push([x(start / 1000), h], [x(to / 1000), h]);
    if (next > end) made.push([x(end / 1000), 0], [x(next === Infinity ? end / 1000 : next / 1000), 0]);
  });
  return made.length ? [[made[0][0], 0], ...made] : made;
}
function peakOutline(base64, width) {
  const text = atob(base64), loudest = Math.max(1, ...[...text].map((c) => c.charCodeAt(0)));
  return [...text].map((c, k) => [(k / (text.length - 1)) * width, c.charCodeAt(0) / loudest]);
}
function runs(w) { // windows overlap: each counts until the next one starts
  const made = [];
  w.start.forEach((from, k) => {
    const end = from + w.length[k], to = Math.min(end, w.start[k + 1] ?? Infinity), last = made[made.length - 1];
    if (last && last.code === w.code[k] && last.to >= from) last.to = to;
    else made.push({from, to, code: w.code[k]});
  });
  return made;
}
function axis(width, height, x) {
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200], step = steps.find((s) => x(s) >= 70) ?? 14400, made = [];
  for (let s = 0; s <= total; s += step) {
    made.push(shape('line', {class: 'lane-line', x1: x(s), x2: x(s), y1: height - 18, y2: height - 13}));
    if (x(s) < width - 24) made.push(shape('text', {x: x(s) + 3, y: height - 4}, clock(s)));
  }
  return made;
}
let at = 0;
function moveCursor() {
  const line = $('cursor');
  if (!line || picked < 0) return;
  const px = (at / total) * Math.max(200, $('timeline').clientWidth);
  line.setAttribute('x1', px); line.setAttribute('x2', px);
  $('timeline').setAttribute('aria-valuenow', Math.round(at));
}
function windowAt(i, s) { // the last one that has begun
  const w = windowsOf(i);
  let found = -1;
  for (let k = 0; k < w.start.length && w.start[k] <= 1000 * s; k++) found = k;
  return found >= 0 && w.start[found] + w.length[found] > 1000 * s ? found : -1;
}
function describe(i, k) {
  const w = windowsOf(i), mark = marks[w.code[k]];
  const what = mark ? `${mark.label} ${w.confidence[k]} %` : w.code[k] === -2 ? 'no speech' : 'uncertain';
  return `${clock(w.start[k] / 1000)}–${clock((w.start[k] + w.length[k]) / 1000)} ${who(i)}: ${what}, ${w.level[k]} dBFS, speech in ${w.speech[k]} %`;
}
function showReadout(s) {
  const said = laneRows().map((i) => { const k = windowAt(i, s); return k < 0 ? '' : describe(i, k); }).filter(Boolean);
  $('readout').textContent = said.join('   ·   ') || (s > 0 ? `${clock(s)}: nobody was scored here` : '\u00a0');
  $('timeline').setAttribute('aria-valuetext', `${clock(s)} ${said.join('; ')}`);
}
function pointed(event) {
  const box = $('timeline').getBoundingClientRect(), rows = laneRows();
  const place = Math.floor((event.clientY - box.top) / ((box.height - 18) / rows.length));
  return [rows[Math.max(0, Math.min(rows.length - 1, place))], Math.max(0, Math.min(total, ((event.clientX - box.left) / box.width) * total))];
}
function choose(i, k) {
  if (i !== picked) open(i);
  chosen = k < 0 ? null : k;
  drawTimeline(); showQuestion();
}
function nextNegative() {
  let best = null;
  for (const i of laneRows()) {
    const w = windowsOf(i);
    const k = w.start.findIndex((start, n) => marks[w.code[n]]?.sentiment === 'negative' && start > 1000 * at + (chosen === null ? -1 : 1));
    if (k >= 0 && (best === null || w.start[k] < best[2])) best = [i, k, w.start[k]];
  }
  if (!best) return false;
  playFrom(best[2] / 1000);
  choose(best[0], best[1]);
  return true;
}
function listWindows() {
  const lines = laneRows().flatMap((i) => windowsOf(i).start.map((start, k) => [start, i, k])).sort((a, b) => a[0] - b[0]);
  const head = node('tr', {}, ...['From', 'Channel', 'Emotion', 'Confidence', 'Speech', 'dBFS'].map((name) => node('th', {scope: 'col', textContent: name})));
  const body = lines.slice(0, 5000).map(([start, i, k]) => {
    const w = windowsOf(i), mark = marks[w.code[k]];
    const play = node('button', {className: 'plain', textContent: clock(start / 1000), onclick: () => { playFrom(start / 1000); choose(i, k); }});
    const cells = [who(i), mark?.label ?? (w.code[k] === -2 ? 'no speech' : 'uncertain'), `${w.confidence[k]} %`, `${w.speech[k]} %`, w.level[k]];
    return node('tr', {}, node('td', {}, play), ...cells.map((cell) => node('td', {textContent: String(cell)})));
  });
  $('list-body').replaceChildren(node('table', {}, node('thead', {}, head), node('tbody', {}, ...body)));
}

// Sound

const ADVICE = 'sertag report … --embed-audio worst:50 puts the worst seconds into the page';
function pick() { // from where this call is played
  const call = R.call[picked], audio = $('audio'), sound = C.sound[call];
  audio.pause();
  at = Math.max(0, R.peak_start_s[picked] ?? 0);
  if (C.url[call]) source = {src: C.url[call], inside: false};
  else if (sound) source = embedded(call);
  else source = null;
  use(source, source ? '' : why(call));
  pending = source ? Math.max(0, at - (source.from ?? 0)) : null; // the player begins where it matters
}
function embedded(call) {
  const [from, to] = C.sound[call];
  return {src: `data:audio/ogg;base64,${$(`sound-${call}`).textContent}`, inside: true, from, to};
}
function use(from, note) {
  const audio = $('audio');
  audio.hidden = !from;
  if (from) audio.src = from.src; else audio.removeAttribute('src');
  const span = from?.inside ? `${clock(from.from)} to ${clock(from.to)} are in this page` : '';
  $('sound-note').textContent = [note, span].filter(Boolean).join('; ');
}
function why(call) {
  if (C.problem[call] === 'format') return `Browsers do not play this recording: it is ${C.format[call]}. ${ADVICE}.`;
  if (C.problem[call] === 'remote') return `This recording is not a file beside the page. ${ADVICE}.`;
  return `The recording was not found when the page was made: ${C.name[call] ?? C.path[call]}`;
}
function broken() { // it was moved or deleted since, or the browser cannot play it
  if (!source || !$('audio').getAttribute('src')) return;
  const call = R.call[picked], resume = at, playing = !$('audio').paused;
  const note = `The recording cannot be played: ${shownPath(picked)}. Was it moved or deleted?`;
  source = !source.inside && C.sound[call] ? embedded(call) : null;
  use(source, note);
  drawTimeline();
  if (!source) return;
  pending = Math.max(0, resume - source.from);
  if (playing) playFrom(resume);
}
function playFrom(s) {
  at = Math.max(0, Math.min(total, s));
  moveCursor(); showReadout(at);
  if (!source) return;
  const audio = $('audio');
  let seconds = at;
  if (source.inside) {
    if (at < source.from - 0.01 || at > source.to) return say('That second is not in this page.');
    seconds = Math.max(0, at - source.from);
  }
  if (audio.readyState === 0) { pending = seconds; audio.load(); } else audio.currentTime = seconds;
  audio.play().catch(() => {}); // an error event, or a pause that came in between, says more
}
function seek(step) {
  const playing = !$('audio').paused;
  playFrom(at + step);
  if (!playing) $('audio').pause();
}
function listen() {
  const audio = $('audio');
  audio.addEventListener('loadedmetadata', () => { if (pending !== null) { audio.currentTime = pending; pending = null; } });
  audio.addEventListener('error', broken);
  const follow = () => {
    if (pending === null && picked >= 0 && audio.readyState > 0) { at = audio.currentTime + (source?.inside ? source.from : 0); moveCursor(); showReadout(at); }
    if (!audio.paused) requestAnimationFrame(follow);
  };
  for (const name of ['play', 'seeked', 'timeupdate']) audio.addEventListener(name, follow);
}

// Verdict on what is shown

function showQuestion() {
  const where = target(), known = storedVerdict(where), nothing = !where.label;
  const span = chosen === null ? 'the whole call' : `${clock(where.start_s)}–${clock(where.end_s)}`;
  $('question').textContent = nothing ? `${who(picked) || 'This recording'}, ${span}: no label to judge (${chosen === null ? R.status[picked] : 'uncertain'}).`
    : `Is “${where.label}” right for ${who(picked) || 'this recording'}, ${span}?`;
  for (const name of ['right', 'wrong']) {
    $(name).disabled = nothing;
    $(name).setAttribute('aria-pressed', String(known === name));
  }
  $('whole').hidden = chosen === null;
}

// Keys, theme, start

function move(step) {
  if (!view.length) return;
  const now = view.indexOf(picked), next = Math.max(0, Math.min(view.length - 1, now < 0 ? 0 : now + step));
  const box = $('scroll'), top = next * ROW_PX;
  if (top < box.scrollTop || top > box.scrollTop + box.clientHeight - 3 * ROW_PX) box.scrollTop = top - box.clientHeight / 3;
  open(view[next]);
}
const KEYS = {
  j: () => move(1), k: () => move(-1), '/': () => $('f-text').focus(), '?': () => $('help').showModal(),
  n: () => picked >= 0 && !nextNegative() && say('No further negative window in this call.'),
  y: () => judge('right'), x: () => judge('wrong'), s: () => picked >= 0 && skip(),
  ArrowLeft: () => picked >= 0 && seek(-STEP_S), ArrowRight: () => picked >= 0 && seek(STEP_S),
  Escape: () => picked >= 0 && closeCall(),
  ' ': () => { if (picked >= 0) { if ($('audio').paused) playFrom(at || 0); else $('audio').pause(); } },
};
function onKey(event) {
  const typing = event.target.closest?.('input, select, textarea');
  if (event.ctrlKey || event.metaKey || event.altKey || $('help').open) return;
  if (typing) { if (event.key === 'Escape') event.target.blur(); return; }
  if (event.key === ' ' && event.target.closest?.('button, summary, audio')) return;
  const act = KEYS[event.key];
  if (!act || (picked < 0 && [' ', 'ArrowLeft', 'ArrowRight', 'Escape'].includes(event.key))) return;
  event.preventDefault();
  act();
}
function theme(step) {
  const names = ['auto', 'light', 'dark'];
  let now = 'auto';
  try { now = localStorage.getItem('sertag theme') ?? 'auto'; } catch { now = document.documentElement.dataset.theme ?? 'auto'; }
  if (step) now = names[(names.indexOf(now) + 1) % 3];
  if (now === 'auto') delete document.documentElement.dataset.theme; else document.documentElement.dataset.theme = now;
  try { if (step) localStorage.setItem('sertag theme', now); } catch { /* then it is for this page alone */ }
  $('theme').textContent = `Theme: ${now}`;
}
function connect() {
  const on = (id, name, act) => $(id).addEventListener(name, act);
  on('save', 'click', download);
  on('theme', 'click', () => theme(true));
  on('help-open', 'click', () => $('help').showModal());
  on('close', 'click', closeCall);
  on('right', 'click', () => judge('right'));
  on('wrong', 'click', () => judge('wrong'));
  on('skip', 'click', skip);
  on('whole', 'click', () => choose(picked, -1));
  on('timeline', 'mousemove', (event) => showReadout(pointed(event)[1]));
  on('timeline', 'mouseleave', () => showReadout(at));
  on('timeline', 'click', (event) => { const [i, s] = pointed(event); playFrom(s); choose(i, windowAt(i, s)); });
  on('list', 'toggle', () => $('list').open && listWindows());
  document.addEventListener('keydown', onKey);
  window.addEventListener('hashchange', readHash);
  window.addEventListener('storage', (event) => { if (event.key === STORE && kept) { loadVerdicts(); showVerdicts(); if (picked >= 0) showQuestion(); delete ranks.verdict; draw(true); } });
  window.addEventListener('resize', () => picked >= 0 && drawTimeline());
  window.addEventListener('beforeunload', (event) => { if (!kept && !saved) event.preventDefault(); });
  const more = $('more');
  if (more && document.querySelectorAll('.worst tbody tr').length > 10) {
    more.hidden = false;
    more.addEventListener('click', () => {
      const short = document.body.classList.toggle('short');
      more.textContent = short ? 'Show all' : 'Show ten'; more.setAttribute('aria-expanded', String(!short));
    });
    document.body.classList.add('short');
  }
}
async function start() {
  theme(false);
  await load();
  loadVerdicts();
  buildTable();
  connect();
  listen();
  showVerdicts();
  $('tools').hidden = false;
  $('all').hidden = false;
  $('script-note').hidden = true;
  readHash();
  document.documentElement.dataset.ready = String(count);
}
start().catch((error) => {
  $('script-note').hidden = false;
  $('script-note').textContent = `The table of all calls cannot be shown (${error.message}). Everything else is here.`;
});
})();
