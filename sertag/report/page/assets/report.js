'use strict';
// The part of the page that answers: a windowed table, one call with its timelines, playback and verdicts.
// All text enters as text; nothing is fetched, and audio elements alone play (Web Audio is silent from file:).
(() => {
const ROWS = 60, STEP_S = 5, FLOOR_DB = -60, SVG = 'http://www.w3.org/2000/svg', SHAPES = ['svg', 'rect', 'path', 'line', 'text'];
const ADVICE = 'sertag report … --embed-audio worst:50 puts the worst seconds into the page.';
const STYLE = {ok: 'neu1', uncertain: 'unsure', no_speech: 'nothing', too_short: 'nothing'};
const STORE = `sertag verdicts ${location.pathname}`;
const $ = (id) => document.getElementById(id);
const audio = $('audio'), box = $('timeline');
let R, C, marks, count, firstRow = [], view, state, drawn = -1; // rows, recordings, emotions; rows in the table
let picked = -1, chosen = null, sample = null, total = 1, at = 0, windows = new Map(); // the row and window that are shown
let source = null; // what plays
let verdicts = new Map(), kept = true, saved = true;

function el(tag, props = {}, ...kids) {
  const made = SHAPES.includes(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...kids.flat());
  return made;
}
const rect = (x, y, width, height, more) => el('rect', {x, y, width, height, ...more});
const hatch = (style) => ({fill: `url(#h-${style})`});
const clock = (s) => {
  if (s === null) return '';
  const m = Math.floor(s / 60), h = Math.floor(m / 60), two = (x) => String(Math.floor(x)).padStart(2, '0');
  return h ? `${h}:${two(m % 60)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
};
const as = (key, text) => (i) => (R[key][i] === null ? '' : text(R[key][i]));
const percent = (x) => `${Math.round(100 * x)} %`;
const say = (text) => { $('said').textContent = text; };
const clamp = (x, low, high) => Math.max(low, Math.min(high, x));

// What a row is called

const path = (i) => C.path[R.call[i]];
const shownPath = (i) => C.name[R.call[i]] ?? path(i);
const baseName = (i) => shownPath(i).replace(/^.*\/(?=.)/s, '');
const who = (i) => R.role[i] || (R.channel[i] === null ? '' : R.channel[i] === 'mix' ? 'mix' : `channel ${R.channel[i]}`);
const urgency = (i) => R.attention[i] ?? R.peak_score[i];
const label = (i) => (R.status[i] === 'ok' && R.emotion[i]) || '';
const result = (i) => label(i) || R.status[i] || '';
const markOf = (i) => marks.find((mark) => mark.label === label(i));

function swatch(i) {
  const mark = markOf(i);
  return el('svg', {class: 'swatch', width: 18, height: 14, 'aria-hidden': true},
    rect(0, 0, 18, 14, hatch(mark?.style ?? STYLE[R.status[i]] ?? 'failed')),
    el('text', {x: 9, y: 11, 'text-anchor': 'middle'}, mark?.letter ?? ''));
}
function bar(share) {
  return el('svg', {class: 'bar', width: 36, height: 8, 'aria-hidden': true},
    rect(0, 0, 36, 8, {class: 'track'}), rect(0, 0, 36 * share, 8, hatch('neg0')));
}
const COLUMNS = { // heading, classes (n: a number; far: not on narrow screens), width, what sorts it, what is shown
  name: ['Recording', '', '', baseName, (i) => el('button', {class: 'link', title: shownPath(i), 'data-row': i}, baseName(i))],
  who: ['Channel', '', 92, who],
  day: ['Day', 'far', 104, (i) => C.day[R.call[i]]],
  result: ['Result', '', 126, (i) => (label(i) ? ' ' : '') + result(i), (i) => [swatch(i), el('span', {title: R.error[i] ?? ''}, result(i))]],
  confidence: ['Conf.', 'n far', 62, (i) => R.confidence[i], as('confidence', percent)],
  attention: ['Attention', 'n', 108, urgency, (i) => (urgency(i) === null ? [] : [urgency(i).toFixed(2), bar(urgency(i))])],
  peak_start_s: ['Worst at', 'n far', 82, (i) => R.peak_start_s[i], as('peak_start_s', clock)],
  trend: ['Trend', 'n far', 64, (i) => R.trend[i], as('trend_label', (name) =>
    el('span', {role: 'img', title: name, 'aria-label': name}, {improving: '↘', worsening: '↗'}[name] ?? '→'))],
  talk_pct: ['Talks', 'n far', 62, (i) => R.talk_pct[i], as('talk_pct', (x) => `${Math.round(x)} %`)],
  overtalk_s: ['Overtalk', 'n far', 84, (i) => R.overtalk_s[i], as('overtalk_s', (x) => `${x.toFixed(1)} s`)],
  duration_s: ['Length', 'n far', 72, (i) => R.duration_s[i], as('duration_s', clock)],
  verdict: ['Verdict', 'far', 74, (i) => (verdicts.size ? known(place(i)) : '')],
};
const FILTERS = {status: (i) => R.status[i], role: (i) => R.role[i], emotion: label, sentiment: (i) => R.sentiment[i], day: (i) => C.day[R.call[i]]};

async function load() {
  const bytes = Uint8Array.from(atob($('data').textContent.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  ({rows: R, calls: C, marks} = JSON.parse(await new Response(stream).text()));
  $('data').remove();
  count = R.call.length;
  for (let i = count - 1; i >= 0; i--) firstRow[R.call[i]] = i;
}

// Verdicts: in this browser where it keeps anything, else in this page

const keyOf = (v) => JSON.stringify([v.path, v.channel, v.start_s]);
function loadVerdicts() {
  try {
    const found = JSON.parse(localStorage.getItem(STORE) ?? '[]');
    verdicts = new Map(found.filter((v) => v?.path !== undefined).map((v) => [keyOf(v), v]));
  } catch { kept = false; }
}
function place(i, w = null) { // what a verdict is about: a row, or one of its windows
  return {path: path(i), channel: R.channel[i], start_s: w && w.from, end_s: w && w.to, label: w ? w.label ?? '' : label(i)};
}
function known(where) { // a verdict on another label, of another model, is none on this one
  const own = verdicts.get(keyOf(where));
  return own?.label === where.label ? own.verdict : '';
}
function judge(verdict) {
  if (picked < 0) return;
  const where = place(picked, chosen);
  if (verdict && !where.label) return say('There is no label to judge.');
  if (kept) loadVerdicts(); // the same page may be open twice
  const key = keyOf(where);
  if (verdict) verdicts.set(key, {...where, verdict, sample: sample?.name ?? verdicts.get(key)?.sample ?? ''}); else verdicts.delete(key);
  saved = false;
  try { localStorage.setItem(STORE, JSON.stringify([...verdicts.values()])); kept = true; } catch { kept = false; }
  say(verdict ? `${verdict}: ${where.label}` : 'no verdict');
  showVerdicts(); draw(true);
  if (sample) nextOfSample();
  else if (verdict) showQuestion(); else if (chosen) nextNegative(); else move(1);
}
function showVerdicts() {
  const n = verdicts.size;
  $('save').disabled = !n;
  $('save').textContent = n ? `Download ${n} verdict${n === 1 ? '' : 's'}${kept ? '' : ' (not kept by this browser)'}` : 'No verdicts yet';
}
function download() {
  const cell = (value) => {
    let text = typeof value === 'number' ? value.toFixed(3) : String(value ?? '');
    if (/^'*[=+\-@\t]/.test(text)) text = `'${text}`; // as in the tables of sertag
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [...verdicts.values()].map((v) =>
    [v.path, String(v.channel ?? ''), v.start_s, v.end_s, v.verdict, v.label, v.sample].map(cell).join(','));
  const csv = ['path,channel,start_s,end_s,verdict,label,sample', ...lines, ''].join('\n');
  const href = URL.createObjectURL(new Blob([csv], {type: 'text/csv'}));
  el('a', {href, download: 'verdicts.csv'}).click();
  setTimeout(() => URL.revokeObjectURL(href), 10000);
  saved = true;
}
function showQuestion() {
  const where = place(picked, chosen), own = known(where), speaker = who(picked) || 'this recording', span = chosen ? spanOf(chosen) : 'the whole call';
  $('question').textContent = (sample ? `Sample ${sample.place}: ` : '') + (where.label ? `Is “${where.label}” right for ${speaker}, ${span}?`
    : `No label to judge for ${speaker}, ${span} (${chosen ? chosen.what : R.status[picked]}).`);
  for (const name of ['right', 'wrong']) {
    $(name).disabled = !where.label;
    $(name).setAttribute('aria-pressed', own === name);
  }
  $('whole').hidden = !chosen;
}

// A random sample: the same for the same seed, rows and filters, so it goes on where it was left (mulberry32 by T. Ettinger)

function* places() {
  let seed = Number(state.seed) | 0;
  const random = () => {
    seed = (seed + 0x6D2B79F5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const rows = matches(), inside = rows.some((i) => R.windows[i]), ends = [], seen = new Set();
  let all = 0;
  for (const i of rows) ends.push(all += inside ? (R.windows[i] ? R.segments[i] ?? 0 : 0) : label(i) ? 1 : 0);
  while (seen.size < all) { // each window of the rows is as likely as another; those without a label are passed over
    const drawn = Math.floor(all * random());
    if (seen.has(drawn)) continue;
    seen.add(drawn);
    const n = ends.findIndex((end) => end > drawn), w = inside ? windowsOf(rows[n])[drawn - (ends[n - 1] ?? 0)] : null;
    if (!inside || w?.label) yield [rows[n], w];
  }
}
function startSample() {
  const chosenBy = Object.entries(state).filter(([name, value]) => value && (name === 'q' || FILTERS[name]));
  const name = new URLSearchParams([['seed', state.seed], ...chosenBy]), begin = `${name}&place=`;
  const last = Math.max(0, ...[...verdicts.values()].filter((v) => v.sample?.startsWith(begin)).map((v) => Number(v.sample.slice(begin.length))));
  sample = {begin, place: 0, from: places()};
  while (sample && sample.place < last) { sample.place++; if (sample.from.next().done) sample = null; }
  nextOfSample();
}
function nextOfSample() {
  const next = sample?.from.next();
  if (!next || next.done) { sample = null; return say('Nothing is left for the sample.'); }
  const now = {...sample, place: sample.place + 1};
  const [i, w] = next.value;
  open(i);
  sample = {...now, name: now.begin + now.place};
  chosen = w;
  if (w) playFrom(w.from);
  drawTimeline(); showQuestion();
}

// Table: filter, sort, and only the rows in sight

function matches() {
  const wanted = Object.keys(FILTERS).filter((name) => state[name]), words = state.q.toLowerCase().split(/\s+/).filter(Boolean), found = [];
  for (let i = 0; i < count; i++) {
    if (wanted.some((name) => FILTERS[name](i) !== state[name])) continue;
    const text = words.length ? [shownPath(i), who(i), result(i), R.sentiment[i], R.error_code[i], R.error[i]].join(' ').toLowerCase() : '';
    if (words.every((word) => text.includes(word))) found.push(i);
  }
  return found;
}
function refresh() {
  const by = COLUMNS[state.sort][3], sign = state.dir === 'asc' ? 1 : -1, keys = [];
  view = matches();
  for (const i of view) keys[i] = by(i) ?? '';
  view.sort((a, b) => { // what is empty comes last
    const x = keys[a], y = keys[b];
    return x === y ? a - b : x === '' ? 1 : y === '' ? -1 : x < y ? -sign : sign;
  });
  const filtered = state.q || Object.keys(FILTERS).some((name) => state[name]);
  $('count').textContent = (filtered ? `${view.length.toLocaleString('en')} of ` : '') + count.toLocaleString('en');
  for (const head of $('heads').children) {
    head.setAttribute('aria-sort', head.dataset.key === state.sort ? (sign > 0 ? 'ascending' : 'descending') : 'none');
  }
  $('table').setAttribute('aria-rowcount', view.length + 1);
  $('clear').hidden = !filtered;
  for (const name of Object.keys(FILTERS)) {
    $(`f-${name}`).value = state[name];
  }
  if ($('f-text').value !== state.q) $('f-text').value = state.q;
  draw(true);
}
const rowPx = () => (matchMedia('(max-width: 760px)').matches ? 50 : 34);
function draw(force) {
  const px = rowPx(), top = Math.max(0, Math.min(Math.floor($('scroll').scrollTop / px) - 15, view.length - ROWS));
  if (!force && Math.abs(top - drawn) < 8) return;
  drawn = top;
  const shown = view.slice(top, top + ROWS), active = document.activeElement?.dataset?.row;
  const gap = (rows) => el('tr', {class: 'gap', 'aria-hidden': true}, el('td', {height: rows * px}));
  const nothing = el('tr', {}, el('td', {colspan: 4}, count ? 'Nothing matches the filters.' : 'The tables have no rows.'));
  const lines = shown.map((i, n) => el('tr', {class: i === picked ? 'picked' : '', 'aria-rowindex': top + n + 2, onclick: () => open(i)},
    Object.entries(COLUMNS).map(([key, [, kind, , by, cell]]) =>
      el(key === 'name' ? 'th' : 'td', key === 'name' ? {scope: 'row'} : {class: kind}, (cell ?? by)(i) ?? ''))));
  $('rows').replaceChildren(gap(top), ...(lines.length ? lines : [nothing]), gap(view.length - top - shown.length));
  if (active) $('rows').querySelector(`[data-row="${active}"]`)?.focus({preventScroll: true});
}
function buildTable() {
  if (new Set(C.day).size < 2) delete COLUMNS.day;
  for (const [key, [heading, kind, width]] of Object.entries(COLUMNS)) {
    const first = kind[0] === 'n' ? 'desc' : 'asc';
    const sort = () => change({sort: key, dir: state.sort !== key ? first : state.dir === 'asc' ? 'desc' : 'asc'});
    $('heads').append(el('th', {scope: 'col', 'data-key': key, class: kind, width}, el('button', {onclick: sort}, heading)));
  }
  for (const [name, of] of Object.entries(FILTERS)) {
    const values = [...new Set(R.call.map((_, i) => of(i)))].filter(Boolean).sort(), select = $(`f-${name}`);
    select.append(new Option('all', ''), ...values.map((value) => new Option(value)));
    select.parentElement.hidden = values.length < 2 && name !== 'status';
    select.onchange = () => change({[name]: select.value});
  }
}

// State in the address

const cleared = () => Object.fromEntries([['q', ''], ...Object.keys(FILTERS).map((name) => [name, ''])]);
function change(changes) {
  Object.assign(state, changes);
  writeHash();
  $('scroll').scrollTop = 0;
  refresh();
}
function writeHash() {
  const usual = {sort: 'attention', dir: 'desc', seed: '1'};
  const differing = new URLSearchParams(Object.entries(state).filter(([name, value]) => value && value !== usual[name]));
  try { history.replaceState(null, '', `#${differing}`); } catch { /* a page inside another one may not */ }
}
function readHash() {
  const given = new URLSearchParams(location.hash.slice(1)), call = given.get('call');
  const linked = call !== null && [...given.keys()].every((name) => name === 'call' || name === 'channel');
  if (!linked || !state) { // a link to a call leaves the filters alone
    state = {sort: 'attention', dir: 'desc', seed: '1', ...cleared()};
    for (const name of Object.keys(state)) state[name] = given.get(name) ?? state[name];
    if (!COLUMNS[state.sort]) state.sort = 'attention';
  }
  refresh();
  if (call === null) return;
  const rows = rowsOf(C.path.indexOf(call));
  if (!rows.length) return say('That call is not in this report.');
  open(rows.find((i) => String(R.channel[i]) === given.get('channel')) ?? rows.reduce((a, b) => ((urgency(b) ?? -1) > (urgency(a) ?? -1) ? b : a)));
}

// One call

function rowsOf(call) {
  const rows = [];
  for (let i = firstRow[call] ?? count; i < count && R.call[i] === call; i++) rows.push(i);
  return rows;
}
const lanes = () => rowsOf(R.call[picked]).filter((i) => R.channel[i] !== null);
function windowsOf(i) { // in seconds, with what each says
  if (!windows.has(i)) {
    const {start = [], length, code, confidence, speech, level} = JSON.parse(R.windows[i] || '{}');
    windows.set(i, start.map((from, k) => {
      const mark = marks[code[k]], style = mark?.style ?? (code[k] === -2 ? 'nothing' : 'unsure');
      return {...mark, style, what: mark?.label ?? (code[k] === -2 ? 'no speech' : 'uncertain'), sure: mark ? ` ${confidence[k]} %` : '',
        speech: `${speech[k]} %`, height: (Math.max(0, level[k] - FLOOR_DB) / -FLOOR_DB) * Math.sqrt(speech[k] / 100),
        i, from: from / 1000, to: (from + length[k]) / 1000, level: `${level[k]} dBFS`};
    }));
  }
  return windows.get(i);
}
const all = () => lanes().flatMap(windowsOf).sort((a, b) => a.from - b.from);
const spanOf = (w) => `${clock(w.from)}–${clock(w.to)}`;
function open(i) {
  const rows = rowsOf(R.call[i]), other = picked < 0 || R.call[i] !== R.call[picked];
  picked = i; chosen = sample = null;
  $('call').hidden = false;
  document.body.classList.add('open');
  if (other) {
    windows.clear();
    total = Math.max(0.001, ...rows.map((row) => Math.max(R.duration_s[row] ?? 0, windowsOf(row).at(-1)?.to ?? 0)));
    $('call').scrollTop = 0;
    $('list').open = false;
    prepare();
  }
  Object.assign(state, {call: path(i), channel: String(R.channel[i] ?? '')});
  writeHash();
  $('call-name').textContent = baseName(i);
  $('call-facts').textContent = [shownPath(i), C.day[R.call[i]], total < 0.01 ? '' : clock(total), as('sample_rate', (x) => `${x.toLocaleString('en')} Hz`)(rows[0]),
    as('silence_s', (x) => `nobody speaks ${x.toFixed(1)} s`)(rows[0]), as('longest_silence_s', (x) => `at most ${x.toFixed(1)} s at a time`)(rows[0]),
    rows.length > 1 ? as('overtalk_s', (x) => `overtalk ${x.toFixed(1)} s`)(rows[0]) : ''].filter(Boolean).join(' · ');
  $('channels').replaceChildren(...rows.map(channelBox));
  drawTimeline(); showQuestion(); showReadout(at); draw(true);
}
function channelBox(i) {
  const quarters = [1, 2, 3, 4].map((q) => R[`neg_q${q}`][i]);
  const probs = (R.probs[i] ?? []).map((p, k) => [p, marks[k].label]).filter(([p]) => p >= 0.05).sort((a, b) => b[0] - a[0]);
  const columns = quarters.map((x, q) => rect(11 * q, 12 - Math.max(1.5, 12 * x), 9, 12, {class: x === null ? 'track' : 'bad'}));
  const more = [as('talk_pct', (x) => `talks ${x.toFixed(0)} %`)(i), as('interruptions', (x) => `interrupts ${x}×`)(i), as('loudness_dbfs', (x) => `${x.toFixed(0)} dBFS`)(i),
    R.trend_label[i], probs.length > 1 ? probs.map(([p, name]) => `${name} ${percent(p)}`).join(', ') : ''];
  const negative = quarters.some((x) => x !== null) ? ['negative ', el('svg', {class: 'quarters', width: 42, height: 12, 'aria-hidden': true}, columns),
    ` ${quarters.map((x) => (x === null ? '–' : Math.round(100 * x))).join(' ')} % · `] : [];
  return el('div', {class: i === picked ? 'picked' : '', role: 'button', tabindex: 0, 'aria-pressed': i === picked, onclick: () => open(i),
    onkeydown: (event) => event.key === 'Enter' && open(i)},
  el('p', {}, swatch(i), el('b', {}, who(i)), ` ${result(i)}`, label(i) ? ` ${percent(R.confidence[i])} · ${R.sentiment[i]}` : '',
    urgency(i) === null ? '' : ` · attention ${urgency(i).toFixed(2)}`),
  el('p', {class: 'note'}, negative, more.filter(Boolean).join(' · ')),
  R.error[i] ? el('p', {class: 'note'}, R.error[i].replace(`${path(i)}: `, '')) : '');
}
function closeCall() {
  const row = picked;
  audio.pause();
  $('call').hidden = true;
  document.body.classList.remove('open');
  picked = -1; chosen = sample = null;
  change({call: '', channel: ''});
  $('rows').querySelector(`[data-row="${row}"]`)?.focus();
}

// Timelines

function drawTimeline() {
  const rows = lanes(), width = Math.max(200, box.clientWidth), x = (s) => (s / total) * width;
  const lane = rows.length > 2 ? 52 : 70, height = rows.length * lane + 18;
  const shapes = rows.flatMap((i, n) => laneShapes(i, n * lane, lane, width, x));
  if (source?.inside) shapes.push(rect(x(source.from), 0, x(source.to - source.from), height - 18, {class: 'inside'}));
  const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200].find((s) => x(s) >= 70) ?? 14400;
  for (let s = 0; s <= total; s += step) {
    shapes.push(el('line', {class: 'lane-line', x1: x(s), x2: x(s), y1: height - 18, y2: height - 13}));
    if (x(s) < width - 24) shapes.push(el('text', {x: x(s) + 3, y: height - 4}, clock(s)));
  }
  if (chosen) shapes.push(rect(x(chosen.from), rows.indexOf(picked) * lane + 1, x(chosen.to - chosen.from), lane - 4, {class: 'chosen'}));
  box.hidden = !rows.length;
  box.replaceChildren(el('svg', {viewBox: `0 0 ${width} ${height}`, height, 'aria-hidden': true}, shapes, el('line', {class: 'cursor', id: 'cursor', y2: height - 16})));
  box.setAttribute('aria-valuemax', Math.round(total));
  moveCursor();
  if ($('list').open) listWindows();
}
function laneShapes(i, top, lane, width, x) {
  const w = windowsOf(i), strip = 16, middle = top + (lane - strip - 4) / 2, half = (lane - strip - 8) / 2;
  const peaks = C.peaks[R.call[i]]?.[Number.isInteger(R.channel[i]) ? R.channel[i] : 0], outline = peaks ? waveform(peaks, width) : envelope(w, x);
  const side = (sign) => outline.map(([left, h]) => `${left.toFixed(1)},${(middle + sign * h * half).toFixed(1)}`);
  const made = [rect(0, top, width, lane - 4, {class: 'lane'}), el('line', {class: 'lane-line', x2: width, y1: middle, y2: middle})];
  if (outline.length) made.push(el('path', {class: 'wave', d: `M${side(-1).join('L')}L${side(1).reverse().join('L')}Z`}));
  else if (R.segments[i]) made.push(el('text', {x: 8, y: middle + 4}, 'no windows here: give the report --segments, or JSON Lines'));
  for (const {from, to, label: name, letter, style} of runs(w)) {
    const left = x(from), wide = Math.max(1, x(to - from) - 0.5);
    made.push(rect(left, top + lane - strip - 4, wide, strip, hatch(style)));
    if (name && wide > 12) made.push(el('text', {class: 'letter', x: left + wide / 2, y: top + lane - 8, 'text-anchor': 'middle'}, wide > 9 * name.length ? name : letter));
  }
  const peak = R.peak_start_s[i];
  if (peak !== null) made.push(el('path', {class: 'bad', d: `M${x(peak).toFixed(1)},${top}h9l-9,9z`}));
  return [...made, el('text', {x: width - 4, y: top + 12, 'text-anchor': 'end'}, who(i))];
}
function envelope(w, x) { // steps of level and share of speech; between windows that do not touch there is nothing
  return w.flatMap(({from, to, height}, k) => {
    const next = w[k + 1]?.from ?? Infinity, right = x(Math.min(to, next));
    return [[x(from), height], [right, height], ...(next > to ? [[right, 0], [x(Math.min(next, total)), 0]] : [])];
  });
}
function waveform(base64, width) {
  const heights = Array.from(atob(base64), (c) => c.charCodeAt(0)), loudest = Math.max(1, ...heights);
  return heights.map((h, k) => [(k / (heights.length - 1)) * width, h / loudest]);
}
function runs(w) { // windows overlap: each counts until the next one starts
  const made = [];
  w.forEach((one, k) => {
    const to = Math.min(one.to, w[k + 1]?.from ?? Infinity), last = made.at(-1);
    if (last?.what === one.what && last.to >= one.from) last.to = to; else made.push({...one, to});
  });
  return made;
}
function moveCursor() {
  const px = (at / total) * Math.max(200, box.clientWidth);
  for (const name of ['x1', 'x2']) $('cursor')?.setAttribute(name, px);
  box.setAttribute('aria-valuenow', Math.round(at));
}
const windowAt = (i, s) => windowsOf(i).findLast(({from, to}) => from <= s && to > s) ?? null;
function showReadout(s) {
  const said = lanes().map((i) => windowAt(i, s)).filter(Boolean)
    .map((w) => `${spanOf(w)} ${who(w.i)}: ${w.what}${w.sure}, ${w.level}, speech in ${w.speech}`).join('   ·   ');
  $('readout').textContent = said || (s > 0 ? `${clock(s)}: nobody was scored here` : '\u00a0');
  box.setAttribute('aria-valuetext', `${clock(s)} ${said}`);
}
function pointed(event) {
  const {left, top, width, height} = box.getBoundingClientRect(), rows = lanes();
  return [rows[clamp(Math.floor((event.clientY - top) / ((height - 18) / rows.length)), 0, rows.length - 1)], clamp((event.clientX - left) / width, 0, 1) * total];
}
function choose(i, w) {
  if (i !== picked) open(i);
  chosen = w; sample = null;
  drawTimeline(); showQuestion();
}
function playWindow(w) { playFrom(w.from); choose(w.i, w); }
function nextNegative() {
  const next = all().find((w) => w.sentiment === 'negative' && w.from > at + (chosen ? 0.001 : -0.001));
  if (next) playWindow(next); else say('No further negative window in this call.');
}
function listWindows() {
  const line = (tag, cells) => el('tr', {}, cells.map((cell) => el(tag, {}, cell)));
  const rows = all().slice(0, 5000).map((w) => line('td', [el('button', {class: 'plain', onclick: () => playWindow(w)}, clock(w.from)), who(w.i), w.what, w.sure, w.speech, w.level]));
  $('list-body').replaceChildren(el('table', {}, el('thead', {}, line('th', ['From', 'Channel', 'Emotion', 'Confidence', 'Speech', 'Level'])), el('tbody', {}, rows)));
}

// Sound: the recording by its path; where that does not play, the worst seconds inside the page

function prepare() {
  const call = R.call[picked];
  audio.pause();
  at = Math.max(0, R.peak_start_s[picked] ?? 0);
  use(C.url[call] ? {src: C.url[call]} : embedded(call), {format: `Browsers do not play this recording: it is ${C.format[call]}. ${ADVICE}`,
    remote: `This recording is not a file beside the page. ${ADVICE}`,
    missing: `The recording was not found when the page was made: ${shownPath(picked)}`}[C.problem[call]] ?? '');
}
function embedded(call) {
  const sound = C.sound[call];
  return sound && {src: `data:audio/ogg;base64,${$(`sound-${call}`).textContent}`, inside: true, from: sound[0], to: sound[1]};
}
function use(what, problem) {
  source = what;
  audio.hidden = !source;
  if (source) audio.src = source.src; else audio.removeAttribute('src');
  if (source) audio.currentTime = Math.max(0, at - (source.from ?? 0)); // it begins where it matters
  $('sound-note').textContent = source?.inside ? `${clock(source.from)} to ${clock(source.to)} are in this page` : source ? '' : problem;
}
function broken() { // it was moved or deleted since, or the browser cannot play it
  if (!source || !audio.getAttribute('src')) return;
  const playing = !audio.paused, reason = audio.error?.code === 4 ? 'Was it moved or deleted?' : audio.error?.message; // 4: it was never sound
  const note = `The recording cannot be played: ${shownPath(picked)}. ${reason}`;
  use(source.inside ? null : embedded(R.call[picked]), note);
  if (source) $('sound-note').textContent = `${note} ${$('sound-note').textContent}`;
  drawTimeline();
  if (source && playing) audio.play();
}
function playFrom(s) {
  at = clamp(s, 0, total);
  moveCursor(); showReadout(at);
  if (!source) return;
  if (source.inside && (at < source.from - 0.01 || at > source.to)) return say('That second is not in this page.');
  audio.currentTime = Math.max(0, at - (source.from ?? 0));
  audio.play().catch(() => {}); // an error event, or a pause that came in between, says more
}
function seek(step) {
  const playing = !audio.paused;
  playFrom(at + step);
  if (!playing) audio.pause();
}
function follow() {
  if (picked >= 0 && source) { at = audio.currentTime + (source?.from ?? 0); moveCursor(); showReadout(at); }
  if (!audio.paused) requestAnimationFrame(follow);
}

// Keys and start

function move(step) {
  if (!view.length) return;
  const now = view.indexOf(picked), next = now < 0 ? 0 : clamp(now + step, 0, view.length - 1), scroll = $('scroll'), px = rowPx(), top = next * px;
  if (top < scroll.scrollTop || top > scroll.scrollTop + scroll.clientHeight - 3 * px) scroll.scrollTop = top - scroll.clientHeight / 3;
  open(view[next]);
}
const KEYS = {j: () => move(1), k: () => move(-1), '/': () => $('f-text').focus(), '?': () => $('help').showModal(), r: () => startSample()};
const CALL_KEYS = { // while a call is open
  n: nextNegative, y: () => judge('right'), x: () => judge('wrong'), s: () => judge(''), Escape: closeCall,
  ArrowLeft: () => seek(-STEP_S), ArrowRight: () => seek(STEP_S), ' ': () => { if (audio.paused) playFrom(at); else audio.pause(); },
};
function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || $('help').open) return;
  if (event.target.closest?.('input, select, textarea')) { if (event.key === 'Escape') event.target.blur(); return; }
  if (event.key === ' ' && event.target.closest?.('button, summary, audio')) return;
  const act = KEYS[event.key] ?? (picked >= 0 ? CALL_KEYS[event.key] : undefined);
  if (!act) return;
  event.preventDefault();
  act();
}
function connect() {
  const clicks = {save: download, 'help-open': KEYS['?'], close: closeCall, right: CALL_KEYS.y, wrong: CALL_KEYS.x, skip: CALL_KEYS.s,
    random: startSample, whole: () => choose(picked, null), clear: () => change(cleared())};
  for (const [id, act] of Object.entries(clicks)) $(id).addEventListener('click', act);
  $('f-text').addEventListener('input', () => change({q: $('f-text').value}));
  $('filters').addEventListener('submit', (event) => event.preventDefault());
  $('scroll').addEventListener('scroll', () => requestAnimationFrame(() => draw(false)), {passive: true});
  box.addEventListener('mousemove', (event) => showReadout(pointed(event)[1]));
  box.addEventListener('mouseleave', () => showReadout(at));
  box.addEventListener('click', (event) => { const [i, s] = pointed(event); playFrom(s); choose(i, windowAt(i, s)); });
  $('list').addEventListener('toggle', () => $('list').open && listWindows());
  audio.addEventListener('error', broken);
  for (const name of ['play', 'seeked', 'timeupdate']) audio.addEventListener(name, follow);
  document.addEventListener('keydown', onKey);
  addEventListener('hashchange', readHash);
  addEventListener('resize', () => { draw(true); if (picked >= 0) drawTimeline(); });
  addEventListener('beforeunload', (event) => { if (!kept && !saved) event.preventDefault(); });
}
async function start() {
  await load();
  loadVerdicts();
  buildTable();
  connect();
  showVerdicts();
  $('script-note').hidden = true;
  for (const id of ['save', 'help-open', 'random', 'all']) $(id).hidden = false;
  readHash();
  document.documentElement.dataset.ready = String(count);
}
start().catch((error) => {
  $('script-note').hidden = false;
  $('script-note').textContent = `The table of all calls cannot be shown (${error.message}). Everything else is here.`;
});
})();
