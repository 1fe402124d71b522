/* the heat map: shares of rows on a canvas, right cells in one hue and errors in another */
const matrix = JSON.parse(document.getElementById("heat-data").textContent);
const canvas = document.getElementById("heat");
const cursor = document.getElementById("heat-cursor");
const readout = document.getElementById("heat-cell");
const size = document.getElementById("heat-size");
const totals = matrix.counts.map((row) => row.reduce((sum, count) => sum + count, 0));
const whole = new Intl.NumberFormat("en-US");
const MARGIN = 4, LABELLED = 11, NUMBERED = 34, PIXELS = 16e6;
const room = document.getElementById("heat-scroll").clientWidth - 20;
const MOST = Math.min(150, Math.floor(0.3 * room)); // width of a label
let layout = {}, at = null;

function mixer() {
  const style = getComputedStyle(document.documentElement);
  const rgb = (name) => style.getPropertyValue(name).trim().match(/\w\w/g).map((part) => parseInt(part, 16));
  const empty = rgb("--heat-empty"), hues = { right: rgb("--heat-right"), wrong: rgb("--heat-wrong") };
  // the power lets an error of one percent be seen
  return (share, hue) => `rgb(${empty.map((from, i) => Math.round(from + (hues[hue][i] - from) * share ** 0.4))})`;
}

function longest(context, names) {
  return Math.min(MOST, Math.max(...names.map((name) => context.measureText(name).width)));
}

function shortened(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  let end = text.length;
  while (end && context.measureText(text.slice(0, end) + "...").width > width) end -= 1;
  return text.slice(0, end) + "...";
}

function draw() {
  const context = canvas.getContext("2d");
  const cell = Number(size.value), rows = matrix.rows.length, columns = matrix.columns.length;
  const font = `${Math.min(13, Math.max(9, cell * 0.72))}px ${getComputedStyle(document.body).fontFamily}`;
  context.font = font;
  const labelled = cell >= LABELLED;
  const left = labelled ? longest(context, matrix.rows) + 8 : MARGIN, top = labelled ? longest(context, matrix.columns) + 8 : MARGIN;
  const width = Math.ceil(left + columns * cell + MARGIN), height = Math.ceil(top + rows * cell + MARGIN);
  const scale = Math.min(devicePixelRatio || 1, Math.sqrt(PIXELS / (width * height)));
  layout = { cell, left, top };
  Object.assign(canvas, { width: Math.floor(width * scale), height: Math.floor(height * scale) });
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  context.scale(scale, scale);
  paint(context, cell, left, top);
  if (labelled) label(context, font, cell, left, top);
  if (Math.min(left, top) > 64) corner(context, left, top);
}

function corner(context, left, top) {
  context.font = `11px ${getComputedStyle(document.body).fontFamily}`;
  context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--muted");
  context.textAlign = "right";
  context.fillText("predicted \u2192", left - 5, top - 26);
  context.fillText("target \u2193", left - 5, top - 10);
}

function paint(context, cell, left, top) {
  const mixed = mixer(), gap = cell >= 8 ? 1 : 0;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const dark = matchMedia("screen and (prefers-color-scheme: dark)").matches;
  matrix.counts.forEach((counts, row) => counts.forEach((count, column) => {
    const share = totals[row] ? count / totals[row] : 0, x = left + column * cell, y = top + row * cell;
    context.fillStyle = mixed(share, column === matrix.right[row] ? "right" : "wrong");
    context.fillRect(x, y, cell - gap, cell - gap);
    if (cell < NUMBERED || !count) return;
    context.fillStyle = share > 0.35 !== dark ? "#fff" : "#14181b";
    if (dark && share <= 0.35) context.fillStyle = "#e6eaed";
    context.fillText(share < 0.001 ? "<.1" : (100 * share).toFixed(1), x + (cell - gap) / 2, y + (cell - gap) / 2);
  }));
}

function label(context, font, cell, left, top) {
  context.font = font;
  context.fillStyle = getComputedStyle(document.body).color;
  context.textBaseline = "middle";
  context.textAlign = "right";
  matrix.rows.forEach((name, row) => context.fillText(shortened(context, name, left - 8), left - 5, top + (row + 0.5) * cell));
  context.textAlign = "left";
  matrix.columns.forEach((name, column) => {
    context.save();
    context.translate(left + (column + 0.5) * cell, top - 5);
    context.rotate(-Math.PI / 2);
    context.fillText(shortened(context, name, top - 8), 0, 0);
    context.restore();
  });
}

function show(row, column) {
  const { cell, left, top } = layout, count = matrix.counts[row][column], share = totals[row] ? count / totals[row] : 0;
  at = [row, column];
  cursor.hidden = false;
  Object.assign(cursor.style, {
    left: `${canvas.offsetLeft + left + column * cell - 2}px`, top: `${canvas.offsetTop + top + row * cell - 2}px`,
    width: `${cell + 3}px`, height: `${cell + 3}px`,
  });
  const what = column === matrix.right[row] ? "right" : "wrong";
  readout.textContent = `target ${matrix.rows[row]}, predicted ${matrix.columns[column]} (${what}): ${whole.format(count)} pixels, `
    + `${(100 * share).toFixed(2)} % of the ${whole.format(totals[row])} pixels of the target`;
}

function under(event) {
  const { cell, left, top } = layout, box = canvas.getBoundingClientRect();
  const column = Math.floor((event.clientX - box.left - left) / cell), row = Math.floor((event.clientY - box.top - top) / cell);
  if (matrix.counts[row]?.[column] !== undefined && (!at || at[0] !== row || at[1] !== column)) show(row, column);
}

const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
canvas.addEventListener("pointermove", under);
canvas.addEventListener("pointerdown", under);
canvas.addEventListener("focus", () => { if (!at) show(0, 0); });
canvas.addEventListener("keydown", (event) => {
  if (!(event.key in STEPS) || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const [down, right] = STEPS[event.key], [row, column] = at ?? [0, 0];
  const within = (place, length) => Math.min(length - 1, Math.max(0, place));
  show(within(row + down, matrix.rows.length), within(column + right, matrix.columns.length));
  cursor.scrollIntoView({ block: "nearest", inline: "nearest" });
});

function legend() {
  const mixed = mixer();
  document.getElementById("heat-legend").replaceChildren(...["right", "wrong"].map((hue) => {
    const ramp = document.createElement("span");
    ramp.className = "ramp";
    ramp.append(`${hue}:`);
    for (const share of [0, 0.01, 0.05, 0.2, 0.5, 1]) {
      const box = document.createElement("i");
      box.style.background = mixed(share, hue);
      const step = document.createElement("span");
      step.append(box, `${100 * share} %`);
      ramp.append(step);
    }
    return ramp;
  }));
}

function redraw() {
  draw();
  legend();
  if (at) show(...at);
}

const most = matrix.columns.length;
const fitting = (width) => Math.floor(width / most);
const roomy = Math.min(44, Math.max(24, Math.floor(780 / matrix.rows.length)), fitting(room - MOST - 12));
size.max = Math.max(4, Math.min(48, Math.floor(4000 / Math.max(most, matrix.rows.length))));
size.value = roomy >= LABELLED ? roomy : Math.max(3, Math.min(LABELLED - 1, fitting(room - 2 * MARGIN)));
size.addEventListener("input", redraw);
for (const query of ["(prefers-color-scheme: dark)", "print"]) matchMedia(query).addEventListener("change", redraw);
redraw();
