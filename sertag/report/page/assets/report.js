// The part of the page that answers: a windowed table, one call with timelines and playback, verdicts.
// All text enters as text, nothing is fetched, and audio elements alone play (Web Audio is silent from file:).
const ROWS = 60, STRIP = 16, CURVE = 26, STORE = `sertag verdicts ${location.pathname}`;
const FILTERS = ['status', 'role', 'emotion', 'sentiment', 'day'], USUAL = {sort: 'attention', dir: 'desc', seed: '1'};
const SHAPES = ['svg', 'rect', 'path', 'text'];
const $ = new Proxy({}, {get: (_, id) => document.getElementById(id)});
const {audio, timeline, filters} = $, fields = filters.elements, heads = [...$.heads.children];
let rows, calls, marks, dimensions, view, drawn; // view: the rows that the filters leave; drawn: the first in the page
let picked, chosen, sample, source, total = 1, at = 0; // row, window, draw, what plays, seconds
let verdicts = new Map(), kept = true, saved = true;

function el(tag, props, ...inside) {
  const made = SHAPES.includes(tag) ? document.createElementNS('http://www.w3.org/2000/svg', tag) : document.createElement(tag);
  for (const name in props) made.setAttribute(name, props[name]);
  if (tag === 'svg') made.ariaHidden = true; // what it shows stands beside it as text
  made.append(...inside.flat());
  return made;
}
function fill(parent, ...inside) { // a row's button that has the focus keeps it
  const {row} = parent.contains(document.activeElement) ? document.activeElement.dataset : {};
  parent.replaceChildren(...inside.flat());
  focusRow(parent, row);
}
const focusRow = (parent, row) => parent.querySelector(`button[data-row="${row}"]`)?.focus({preventScroll: true});
const rect = (x, y, width, height, more) => el('rect', {x, y, width, height, ...more});
const text = (x, y, inside, more) => el('text', {x, y, ...more}, inside);
const hatch = (style) => ({fill: `url(#h-${style})`});
const clamp = (x, low, high) => Math.max(low, Math.min(high, x));
function say(message) {
  $.said.textContent = message;
  setTimeout(() => { if ($.said.textContent === message) $.said.textContent = ''; }, 5000);
}
const told = (value, format) => ((value ?? '') === '' ? '' : format(value));
const joined = (parts, by = ' · ') => parts.filter(Boolean).join(by);
const number = (x) => x.toLocaleString('en'), percent = (x) => `${Math.round(100 * x)} %`, whole = (x) => `${Math.round(x)} %`;
const two = (x) => x.toFixed(2), seconds = (x) => (x < 100 ? `${x.toFixed(1)} s` : clock(x));
const clock = (s) => {
  const m = Math.floor(s / 60), h = Math.floor(m / 60), digits = (x) => String(Math.floor(x)).padStart(2, '0');
  return h ? `${h}:${digits(m % 60)}:${digits(s % 60)}` : `${m}:${digits(s % 60)}`;
};

async function load() {
  const bytes = Uint8Array.from(atob($.data.textContent), (c) => c.charCodeAt(0));
  const found = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))).json();
  const objects = (columns, key) => columns[key].map((_, i) => {
    const made = {i};
    for (const name in columns) made[name] = columns[name][i];
    return made;
  });
  ({marks, dimensions} = found);
  calls = objects(found.calls, 'path');
  rows = objects(found.rows, 'call');
  for (const r of rows) {
    const call = r.call = calls[r.call], shown = call.name ?? call.path;
    (call.rows ??= []).push(r);
    Object.assign(r, {path: call.path, day: call.day, shown, name: shown.split('/').pop() || shown, result: r.emotion || r.status || ''});
    r.text = [shown, r.who, r.result, r.sentiment, r.error_code, r.error].join(' ').toLowerCase();
  }
}

// Table: filter, sort, and only the rows in sight. The form holds all that the address says.

const swatch = ({style, letter}) => el('svg', {class: 'swatch', width: 18, height: 14},
  rect(0, 0, 18, 14, hatch(style)), text(9, 11, letter));
const bar = (share, style = 'neg0') => el('svg', {class: 'bar', width: 36, height: 8}, rect(0, 0, 36 * share, 8, hatch(style)));
const share = (x, {least, most}) => (x - least) / (most - least);
const CELLS = { // how the values of columns are shown; of others as they are
  name: (name, r) => el('button', {class: 'link', title: r.shown, 'data-row': r.i}, name),
  result: (name, r) => [swatch(marks[r.code]), el('span', {title: r.error ?? ''}, name)],
  trend: (_, r) => r.trend_label, confidence: percent, attention: (x) => [two(x), bar(x)],
  peak_start_s: clock, talk_pct: whole, overtalk_s: seconds, duration_s: clock,
};
const filtered = () => ['q', ...FILTERS].filter((name) => fields[name].value);
function matches() {
  const wanted = FILTERS.filter((name) => fields[name].value), words = fields.q.value.toLowerCase().split(/\s+/);
  return rows.filter((r) => wanted.every((name) => r[name] === fields[name].value) && words.every((word) => r.text.includes(word)));
}
function update() {
  const key = fields.sort.value, sign = fields.dir.value === 'asc' ? 1 : -1;
  view = matches().sort((a, b) => { // what is empty comes last
    const x = a[key] ?? '', y = b[key] ?? '';
    return x === y ? a.i - b.i : x === '' ? 1 : y === '' ? -1 : x < y ? -sign : sign;
  });
  $.clear.hidden = !filtered().length;
  $.count.textContent = ($.clear.hidden ? '' : `${number(view.length)} of `) + number(rows.length);
  for (const head of heads) head.ariaSort = head.dataset.key !== key ? 'none' : sign > 0 ? 'ascending' : 'descending';
  $.table.setAttribute('aria-rowcount', view.length + 1);
  $.scroll.scrollTop = 0;
  writeHash();
  draw(true);
}
function sortBy({className, dataset: {key}}) { // largest numbers first
  const down = fields.sort.value === key ? fields.dir.value === 'asc' : className[0] === 'n';
  fields.dir.value = down ? 'desc' : 'asc';
  fields.sort.value = key;
  update();
}
const rowPx = () => (matchMedia('(max-width: 760px)').matches ? 50 : 34);
function draw(anew) {
  const px = rowPx(), top = clamp(Math.floor($.scroll.scrollTop / px) - 15, 0, Math.max(0, view.length - ROWS));
  if (!anew && Math.abs(top - drawn) < 8) return;
  drawn = top;
  const shown = view.slice(top, top + ROWS), gap = (count) => el('tr', {class: 'gap', 'aria-hidden': true}, el('td', {height: count * px}));
  const lines = shown.map((r, n) => el('tr', {class: r === picked ? 'picked' : '', 'data-row': r.i, 'aria-rowindex': top + n + 2},
    heads.map(({className, dataset: {key}}) => {
      const cell = told(r[key], (value) => (CELLS[key] ?? String)(value, r));
      return key === 'name' ? el('th', {scope: 'row'}, cell) : el('td', {class: className}, cell);
    })));
  if (!lines.length) lines.push(el('tr', {}, el('td', {colspan: 4}, 'No such channel.')));
  fill($.rows, gap(top), lines, gap(view.length - top - shown.length));
}
function writeHash() {
  const given = [...new FormData(filters)].filter(([name, value]) => value && value !== USUAL[name]);
  try { history.replaceState(null, '', `#${new URLSearchParams(given)}`); } catch { /* a page inside another one may not */ }
}
function readHash() {
  const given = new URLSearchParams(location.hash.slice(1)), path = given.get('call');
  if (!view || [...given.keys()].some((name) => !/^c(all|hannel)$/.test(name)) || !path) { // a link to a call leaves filters alone
    for (const field of fields) field.value = given.get(field.name) ?? USUAL[field.name] ?? '';
  }
  update();
  const call = calls.find((one) => one.path === path);
  if (call) {
    const worst = call.rows.toSorted((a, b) => (b.attention ?? -1) - (a.attention ?? -1))[0];
    open(call.rows.find((r) => String(r.channel) === given.get('channel')) ?? worst);
    $.call.focus();
  } else if (path) say('That call is not in this report.');
}
function move(step) {
  const now = view.indexOf(picked), next = now < 0 ? 0 : clamp(now + step, 0, view.length - 1), {scroll} = $, px = rowPx(), top = next * px;
  if (!view.length) return;
  if (top < scroll.scrollTop || top > scroll.scrollTop + scroll.clientHeight - 3 * px) scroll.scrollTop = top - scroll.clientHeight / 3;
  open(view[next]);
}

// Verdicts: in this browser where it keeps anything, else in this page

const keyOf = ({path, channel, start_s}) => JSON.stringify([path, channel, start_s]);
const place = (r, w) => ( // what a verdict is about: a row, or one of its windows
  {path: r.path, channel: r.channel, start_s: w?.from ?? null, end_s: w?.to ?? null, label: (w ? w.label : r.emotion) ?? ''});
function known(where) { // a verdict on another label, of another model, is none on this one
  const own = verdicts.get(keyOf(where));
  return own?.label === where.label ? own.verdict : '';
}
function readVerdicts() {
  try {
    const found = JSON.parse(localStorage.getItem(STORE) ?? '[]').filter((one) => one?.path);
    verdicts = new Map(found.map((one) => [keyOf(one), one]));
  } catch { kept = false; }
}
function judge(verdict) {
  const where = place(picked, chosen), key = keyOf(where);
  if (kept) readVerdicts(); // the same page may be open twice
  if (verdict) verdicts.set(key, {...where, verdict, sample: sample?.name ?? verdicts.get(key)?.sample ?? ''}); else verdicts.delete(key);
  saved = false;
  try { localStorage.setItem(STORE, JSON.stringify([...verdicts.values()])); kept = true; } catch { kept = false; }
  say(verdict ? `${verdict}: ${where.label}` : 'no verdict');
  showVerdicts();
  draw(true);
  if (sample) nextOfSample(); else if (verdict) showQuestion(); else if (chosen) nextNegative(); else move(1);
}
function showVerdicts() {
  const n = verdicts.size;
  for (const r of rows) r.verdict = n ? known(place(r)) : '';
  $.save.disabled = !n;
  $.save.textContent = n ? `Download ${n} verdict${n === 1 ? '' : 's'}${kept ? '' : ' (not kept by this browser)'}` : 'No verdicts yet';
}
function showQuestion() {
  const where = place(picked, chosen), about = `${picked.who || 'this recording'}, ${chosen ? spanOf(chosen) : 'the whole call'}`;
  $.question.textContent = (sample ? `Sample ${sample.place}: ` : '') + (where.label ? `Is “${where.label}” right for ${about}?`
    : `No label to judge for ${about} (${chosen ? chosen.what : picked.status}).`);
  for (const name of ['right', 'wrong']) {
    $[name].disabled = !where.label;
    $[name].ariaPressed = known(where) === name;
  }
  $.whole.hidden = !chosen;
}
function download() {
  const head = ['path', 'channel', 'start_s', 'end_s', 'verdict', 'label', 'sample'], cell = (value) => {
    const said = String(value ?? '').replace(/^(?='*[=+\-@\t])/, "'"); // as in the tables of sertag
    return /[",\r\n]/.test(said) ? `"${said.replaceAll('"', '""')}"` : said;
  };
  const lines = [...verdicts.values()].map((one) => head.map((name) => cell(name.endsWith('_s') ? one[name]?.toFixed(3) : one[name])));
  const href = URL.createObjectURL(new Blob([[head, ...lines, ''].join('\n')], {type: 'text/csv'}));
  el('a', {href, download: 'verdicts.csv'}).click();
  saved = true;
}

// A random sample: the same for the same seed, rows and filters, so it goes on where it was left

function shuffled(list, seed) { // by mulberry32 of T. Ettinger
  const random = () => {
    seed = (seed + 0x6D2B79F5) | 0;
    const t = Math.imul(seed ^ (seed >>> 15), 1 | seed), u = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return u ^ (u >>> 14);
  };
  return list.map((one) => [random(), one]).sort(([a], [b]) => a - b).map(([, one]) => one);
}
function* draws() { // each window of the rows is as likely as another; those without a label are passed over
  const found = matches(), inside = found.some((r) => r.windows);
  const places = found.flatMap((r) => (inside ? Array.from({length: r.windows ? r.segments ?? 0 : 0}, (_, k) => [r, k]) : [[r]]));
  for (const [r, k] of shuffled(places, Number(fields.seed.value) | 0)) {
    const w = inside ? windowsOf(r)[k] : null;
    if (inside ? w?.label : r.emotion) yield [r, w];
  }
}
function startSample() {
  const begin = `${new URLSearchParams(['seed', ...filtered()].map((name) => [name, fields[name].value]))}&place=`;
  const done = [...verdicts.values()].map((one) => (one.sample?.startsWith(begin) ? Number(one.sample.slice(begin.length)) : 0));
  sample = {begin, place: 0, from: draws()};
  for (const last = Math.max(0, ...done); sample.place < last; sample.place++) sample.from.next();
  nextOfSample();
}
function nextOfSample() {
  const next = {...sample, place: sample.place + 1}, {value} = next.from.next();
  if (value) open(...value); else say('The sample is complete.');
  sample = value && {...next, name: next.begin + next.place};
  if (value && chosen) playFrom(chosen.from);
  if (value) showQuestion();
}

// One call

const lanesOf = () => picked.call.rows.filter((r) => r.channel !== null);
function windowsOf(r) { // in seconds, with what each says
  if (!r.made) {
    const {start = [], length, code, confidence, speech, level, values} = JSON.parse(r.windows || '{}');
    r.made = start.map((from, k) => ({...marks[code[k]], r, own: values.map((column) => column[k]), from: from / 1000, to: (from + length[k]) / 1000,
      sure: code[k] < 0 ? '' : ` ${confidence[k]} %`, speech: `${speech[k]} %`, level: `${level[k]} dBFS`,
      height: Math.max(0, 1 + level[k] / 60) * Math.sqrt(speech[k] / 100)})); // none below -60 dBFS
  }
  return r.made;
}
const all = () => lanesOf().flatMap(windowsOf).sort((a, b) => a.from - b.from);
const isNegative = ({sentiment}) => sentiment === 'negative';
const spanOf = (w) => `${clock(w.from)}–${clock(w.to)}`;
const estimates = (own) => dimensions.map(({name}, k) => told(own[k], (x) => `${name} ${two(x)}`));
function open(r, w = null) {
  const other = r.call !== picked?.call;
  picked = r; chosen = w; sample = null;
  $.call.hidden = false;
  fields.call.value = r.path;
  fields.channel.value = r.channel ?? '';
  writeHash();
  if (other) {
    total = Math.max(0.001, ...r.call.rows.map((one) => Math.max(one.duration_s ?? 0, windowsOf(one).at(-1)?.to ?? 0)));
    $.call.scrollTop = 0;
    $.list.open = false;
    prepare();
  }
  showCall();
  draw(true);
}
function showCall() {
  const {call, name, shown} = picked, [first] = call.rows, fact = (key, format) => told(first[key], format);
  $.called.textContent = name;
  $.facts.textContent = joined([shown, call.day, fact('duration_s', () => clock(total)), fact('sample_rate', (x) => `${number(x)} Hz`),
    fact('silence_s', (x) => `nobody speaks ${seconds(x)}`), fact('longest_silence_s', (x) => `at most ${seconds(x)} at a time`),
    call.rows.length > 1 && fact('overtalk_s', (x) => `overtalk ${seconds(x)}`)]);
  fill($.channels, call.rows.map(channelBox));
  drawTimeline();
  showQuestion();
  showReadout(at);
}
function channelBox(r) {
  const quarters = r.quarters.map((x) => told(x, () => String(Math.round(100 * x))));
  const likely = (r.probs ?? []).map((p, k) => [p, marks[k].label]).filter(([p]) => p >= 0.05).sort(([a], [b]) => b - a);
  const answer = [r.emotion && percent(r.confidence), r.sentiment, told(r.attention, (x) => `attention ${two(x)}`)];
  const more = [joined(quarters) && `negative by quarter ${quarters.map((x) => x || '–').join(' ')} %`,
    told(r.talk_pct, (x) => `talks ${whole(x)}`), told(r.interruptions, (x) => `interrupts ${x}×`), told(r.loudness_dbfs, (x) => `${x.toFixed(0)} dBFS`), r.trend_label,
    ...estimates(dimensions.map(({name}) => r[`d_${name}`])), likely.length > 1 && likely.map(([p, label]) => `${label} ${percent(p)}`).join(', ')];
  return el('button', {class: r === picked ? 'picked' : '', 'data-row': r.i, 'aria-pressed': r === picked},
    el('span', {}, swatch(marks[r.code]), el('b', {}, r.who), ` ${r.result} `, joined(answer)),
    ...[joined(more), (r.error ?? '').replace(`${r.path}: `, '')].map((note) => el('span', {class: 'note'}, note)));
}
function closeCall() {
  const {i} = picked;
  audio.pause();
  $.call.hidden = true;
  picked = chosen = sample = null;
  fields.call.value = fields.channel.value = '';
  writeHash();
  draw(true);
  focusRow($.rows, i);
}

// Timelines

function drawTimeline() {
  const lanes = lanesOf();
  timeline.hidden = !lanes.length; // before it is measured
  const width = timeline.clientWidth, x = (s) => (s / total) * width;
  const lane = (lanes.length > 2 ? 52 : 70) + CURVE * dimensions.length, bottom = lanes.length * lane;
  const shapes = lanes.flatMap((r, n) => laneShapes(r, n * lane, lane - 4, width, x));
  if (source?.inside) shapes.push(rect(x(source.from), 0, x(source.to - source.from), bottom, {class: 'inside'}));
  const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200].find((s) => x(s) >= 70) ?? 14400;
  for (let s = 0; s <= total; s += step) {
    shapes.push(el('path', {class: 'rule', d: `M${x(s)},${bottom}v5`}));
    if (x(s) < width - 36) shapes.push(text(x(s) + 3, bottom + 14, clock(s)));
  }
  if (chosen) shapes.push(rect(x(chosen.from), lanes.indexOf(picked) * lane + 1, x(chosen.to - chosen.from), lane - 4, {class: 'chosen'}));
  timeline.replaceChildren(el('svg', {viewBox: `0 0 ${width} ${bottom + 18}`, height: bottom + 18},
    shapes, el('path', {class: 'chosen', id: 'cursor', d: `M0,0v${bottom}`})));
  timeline.ariaValueMax = Math.round(total);
  moveCursor();
  if ($.list.open) listWindows();
}
function laneShapes(r, top, height, width, x) { // sound, the strip of emotions, then a curve for each dimension
  const w = windowsOf(r), wave = height - STRIP - CURVE * dimensions.length, middle = top + wave / 2, strip = top + wave, half = wave / 2 - 2;
  const peaks = r.call.peaks?.[Number(r.channel) || 0], outline = peaks ? waveform(peaks, width) : steps(w, x, (one) => one.height);
  const line = (kind, d) => el('path', {class: kind, d});
  const made = [rect(0, top, width, height, {class: 'lane'}), line('rule', `M0,${middle}h${width}`), area(outline, middle, half, half)];
  if (!w.length && r.segments) made.push(text(8, middle + 4, 'no windows here: give the report --segments, or JSON Lines'));
  for (const one of runs(w)) {
    const {from, to, label, letter, style} = one, left = x(from), wide = Math.max(isNegative(one) ? 3 : 1, x(to - from) - 0.5);
    made.push(rect(left, strip, wide, STRIP, hatch(style)));
    if (label && wide > 12) made.push(text(left + wide / 2, strip + 12, wide > 9 * label.length ? label : letter, {class: 'letter'}));
  }
  dimensions.forEach((one, k) => {
    const base = strip + STRIP + CURVE * (k + 1), high = ({own}) => told(own[k], (value) => 0.08 + 0.92 * share(value, one)) || 0;
    made.push(area(steps(w, x, high), base, CURVE - 4, 0), text(4, base - 9, one.name));
  });
  const peak = told(r.peak_start_s, (s) => line('bad', `M${x(s)},${top}h9l-9,9z`));
  return [...made, peak, text(width - 4, top + 12, r.who, {'text-anchor': 'end'})];
}
function area(points, y, up, down) {
  const sides = [...points.map(([x, h]) => [x, y - h * up]), ...points.toReversed().map(([x, h]) => [x, y + h * down])];
  return points.length ? el('path', {class: 'wave', d: `M${sides.join('L')}Z`}) : '';
}
function steps(w, x, height) { // between windows that do not touch there is nothing
  return w.flatMap((one, k) => {
    const next = w[k + 1]?.from ?? Infinity, right = x(Math.min(one.to, next)), h = height(one);
    return [[x(one.from), h], [right, h], ...(next > one.to ? [[right, 0], [x(Math.min(next, total)), 0]] : [])];
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
  return made.sort((a, b) => isNegative(a) - isNegative(b)); // those are drawn last, and so seen in long calls
}
function moveCursor() {
  $.cursor.setAttribute('transform', `translate(${(at / total) * timeline.clientWidth})`);
  timeline.ariaValueNow = Math.round(at);
}
const windowAt = (r, s) => windowsOf(r).findLast(({from, to}) => from <= s && to > s);
function showReadout(s) {
  const said = joined(lanesOf().map((r) => windowAt(r, s)).map((w) =>
    w && joined([`${spanOf(w)} ${w.r.who}: ${w.what}${w.sure}`, ...estimates(w.own), w.level, `speech in ${w.speech}`], ', ')), '   ·   ');
  $.readout.textContent = said || (s > 0 ? `${clock(s)}: nobody was scored here` : '\u00a0');
  timeline.ariaValueText = `${clock(s)} ${said}`;
}
function pointed({clientX, clientY}) {
  const {left, top, width, height} = timeline.getBoundingClientRect(), lanes = lanesOf();
  const lane = Math.floor((clientY - top) / ((height - 18) / lanes.length));
  return [lanes[clamp(lane, 0, lanes.length - 1)], clamp((clientX - left) / width, 0, 1) * total];
}
function playWindow(w) { playFrom(w.from); open(w.r, w); }
function nextNegative() {
  const next = all().find((w) => isNegative(w) && w.from > at + (chosen ? 0.001 : -0.001));
  if (next) playWindow(next); else say('No further negative window.');
}
function listWindows() {
  const line = (tag, cells) => el('tr', {}, cells.map((cell) => el(tag, {}, cell)));
  const from = (w, k) => el('button', {class: 'plain', 'data-window': k}, clock(w.from));
  const lines = all().slice(0, 5000).map((w, k) =>
    line('td', [from(w, k), w.r.who, w.what, w.sure, ...w.own.map((x) => told(x, two)), w.speech, w.level]));
  const head = line('th', ['From', 'Channel', 'Emotion', 'Confidence', ...dimensions.map(({name}) => name), 'Speech', 'Level']);
  $.windows.replaceChildren(el('table', {}, el('thead', {}, head), el('tbody', {}, lines)));
}

// Sound: the recording by its path; where that does not play, the worst seconds inside the page

function prepare() {
  const {url, problem} = picked.call, inside = embedded();
  audio.pause();
  at = Math.max(0, picked.peak_start_s ?? 0);
  use(url ? {src: url, from: 0, to: Infinity} : inside, url || inside ? '' : problem);
}
function embedded() {
  const {sound, i} = picked.call;
  return sound && {src: `data:audio/ogg;base64,${$[`sound-${i}`].textContent}`, inside: true, ...sound};
}
function use(what, problem) {
  source = what;
  audio.hidden = !source;
  if (source) {
    audio.src = source.src;
    audio.currentTime = Math.max(0, at - source.from); // it begins where it matters
  } else audio.removeAttribute('src');
  $.sound.textContent = joined([problem, source?.inside && `${clock(source.from)} to ${clock(source.to)} are in this page`], ' ');
}
function broken() { // it was moved or deleted since, or the browser cannot play it
  if (!source) return;
  const playing = !audio.paused;
  use(source.inside ? null : embedded(), 'The recording cannot be played. Was it moved, deleted or cut?');
  drawTimeline();
  if (source && playing) audio.play();
}
function goTo(s) {
  at = s;
  moveCursor();
  showReadout(s);
}
function playFrom(s) {
  goTo(clamp(s, 0, total));
  if (!source) return;
  if (at < source.from - 0.01 || at > source.to) return say('That second is not in this page.');
  audio.currentTime = Math.max(0, at - source.from);
  audio.play().catch(() => {}); // an error event, or a pause that came in between, says more
}
function seek(step) {
  const {paused} = audio;
  playFrom(at + step);
  if (paused) audio.pause();
}
function follow() {
  if (picked && source) goTo(audio.currentTime + source.from);
  if (!audio.paused) requestAnimationFrame(follow);
}

// What elements do, by their ids, when they are clicked or the key is pressed that they name

const ACTIONS = {
  random: startSample, save: download, keys: () => $.help.showModal(), clear: () => { filters.reset(); update(); }, q: () => fields.q.focus(),
  next: () => move(1), previous: () => move(-1), close: closeCall, back: () => seek(-5), on: () => seek(5), negative: nextNegative,
  audio: () => { if (audio.paused) playFrom(at); else audio.pause(); },
  right: () => judge('right'), wrong: () => judge('wrong'), skip: () => judge(''), whole: () => open(picked),
};
function onClick({target}) {
  const of = target.closest('button, tr'), head = target.closest('[data-key]'), {row, window: k} = of?.dataset ?? {};
  if (of?.id in ACTIONS) ACTIONS[of.id]();
  else if (k) playWindow(all()[k]);
  else if (row) {
    open(rows[row]);
    if (of.matches('.link')) $.call.focus();
  }
  else if (head) sortBy(head);
}
function onKey(event) {
  const {key, target} = event, on = (selector) => target.closest?.(selector);
  if (event.ctrlKey || event.metaKey || event.altKey || $.help.open) return;
  if (on('input, select')) { if (key === 'Escape') target.blur(); return; }
  const of = document.querySelector(`[aria-keyshortcuts="${key === ' ' ? 'Space' : CSS.escape(key)}"]`);
  if (!of || (key === ' ' && on('button, summary, audio')) || (!picked && of.closest('#call') && !/[jk]/.test(key))) return;
  event.preventDefault();
  if (of.disabled) say($.question.textContent); else ACTIONS[of.id]();
}
const on = (where, name, act) => where.addEventListener(name, act);
try {
  await load();
  for (const one of dimensions) CELLS[`d_${one.name}`] = (x) => [two(x), bar(share(x, one), 'neu1')];
  readVerdicts();
  showVerdicts();
  on(document, 'click', onClick);
  on(document, 'keydown', onKey);
  on(filters, 'input', update);
  on($.scroll, 'scroll', () => requestAnimationFrame(() => draw()));
  on(timeline, 'mousemove', (event) => showReadout(pointed(event)[1]));
  on(timeline, 'mouseleave', () => showReadout(at));
  on(timeline, 'click', (event) => { const [r, s] = pointed(event); playFrom(s); open(r, windowAt(r, s)); });
  on($.list, 'toggle', () => $.list.open && listWindows());
  on(audio, 'error', broken);
  for (const name of ['play', 'timeupdate']) on(audio, name, follow);
  on(window, 'hashchange', readHash);
  on(window, 'resize', () => { draw(true); if (picked) drawTimeline(); });
  on(window, 'beforeunload', (event) => { if (!kept && !saved) event.preventDefault(); });
  $.note.hidden = true;
  for (const id of ['save', 'keys', 'random', 'all']) $[id].hidden = false;
  readHash();
  document.body.dataset.ready = rows.length;
} catch (error) {
  $.note.textContent = `The table of all calls cannot be shown: ${error.message}`;
}
