// Lays a deck out in slides of one screen each, then starts reveal.js.
const ROOM = 720 - 30 - 42 + 14; // px: the slide without its padding; a last margin may overlap it
const LISTS = "tbody, ul, ol";
const FIGURE = { least: 640, share: 0.75, most: 1060, height: 430, square: 1.5, beside: 720 };
// Least width in px and as a share of its own, largest width; height before it grows; width over
// height of one that has the words beside it, and its largest width.
const TABLE = [["pre", 24], ["pre", 22], ["pre", 20], ["pre", 18], ["pre-wrap", 20], ["pre-wrap", 18]];
// Whether lines may be broken, and px of the letters; the first that is narrow enough counts.
let heading = null; // the last one, repeated where a slide has none of its own

window.MathJax = {
  tex: { inlineMath: [["$", "$"]], displayMath: [["$$", "$$"]], processEscapes: true },
  svg: { fontCache: "none" }, // a note is copied into the speaker's window, where no fonts are
  options: { enableMenu: false, ignoreHtmlClass: "html|text|claim" },
  startup: { pageReady: () => MathJax.startup.defaultPageReady().then(start) },
};

async function start() {
  await Promise.all([...document.images].map((image) => image.decode()));
  document.querySelectorAll(".notes mjx-assistive-mml").forEach((twin) => twin.remove());
  document.querySelectorAll(".content table").forEach(shrink);
  document.querySelectorAll(".slides > section > section").forEach(layOut);
  document.documentElement.classList.remove("laying-out");
  const shown = () => document.querySelector(":popover-open");
  document.addEventListener("toggle", () => shown() || document.activeElement.blur(), true);
  await Reveal.initialize({
    width: 1280, height: 720, margin: 0, maxScale: 10, center: false, hash: true,
    controls: false, slideNumber: "c/t", transition: "none", navigationMode: "linear",
    keyboardCondition: () => !shown(), plugins: [RevealNotes],
  });
}

// Pages

const outer = (page) => page.querySelector(".content");
const left = (page) => ROOM - outer(page).getBoundingClientRect().height;
const fits = (page) => left(page) >= 0;
const isHeading = (element) => /^H[1-4]$/.test(element.tagName);
const blocks = (page) => [...page.querySelectorAll(".cell > :not([popover])")];

// Move what does not fit on a slide to new slides below it.
function layOut(section) {
  const cells = [...outer(section).children];
  let page = opened(section, cells[0]);
  while (cells.length) {
    const cell = cells.shift();
    outer(page).append(cell);
    if (settled(page)) continue;
    const alone = blocks(page).every((block) => isHeading(block) || cell.contains(block));
    const rest = alone ? cut(page, cell) : cell;
    if (!rest) continue; // nothing in it can be cut
    if (!alone) cell.remove();
    cells.unshift(rest);
    finish(page);
    const next = section.cloneNode(false);
    next.append(outer(section).cloneNode(false));
    page.after(next);
    page = opened(next, rest);
  }
  finish(page);
}

// An empty page that names the slide which it goes on with.
function opened(page, cell) {
  outer(page).replaceChildren();
  if (heading && cell && !isHeading(cell.firstElementChild)) {
    const again = document.createElement("p");
    again.className = "again";
    again.append(...heading.cloneNode(true).childNodes);
    outer(page).append(again);
  }
  return page;
}

// Whether a page holds its last cell too, if need be with smaller figures and less air.
function settled(page) {
  const figures = [...page.querySelectorAll("figure img")];
  figures.forEach((image) => widen(image, FIGURE.height * ratio(image)));
  page.classList.remove("tight");
  if (figures.length === 1 && ratio(figures[0]) < FIGURE.square) setBeside(page, figures[0]);
  if (fits(page)) return true;
  if (figures.length && page.querySelector("pre.code:not([popover])")) return false;
  page.classList.add("tight");
  if (fits(page)) return true;
  figures.forEach((image) => widen(image, 0));
  return fits(page);
}

// A figure with which a page begins has the words beside it, if it is nearly as high as wide.
function setBeside(page, image) {
  if (image.closest(".cell") !== page.querySelector(".cell")) return;
  page.classList.add("beside");
  image.parentElement.after(...page.querySelectorAll(".again"));
  widen(image, Math.min(FIGURE.beside, (ROOM - 14) * ratio(image)));
}

// Let the figures have what is left of the page.
function finish(page) {
  const first = outer(page).querySelector(".cell");
  first?.classList.remove("fragment"); // a page that opens shows something
  for (const found of outer(page).querySelectorAll("h1, h2, h3, h4")) heading = found;
  const figures = [...page.querySelectorAll("figure img")];
  page.classList.remove("tight");
  if (!fits(page)) page.classList.add("tight");
  if (page.matches(".beside")) return;
  for (let share = figures.length; share > 0; share--) {
    const image = figures[share - 1];
    widen(image, (image.height + left(page) / share) * ratio(image));
  }
}

const ratio = (image) => image.naturalWidth / image.naturalHeight;

// Give a figure a width: half the screen or more, and so much that its words can be read.
function widen(image, wanted) {
  const width = Math.max(FIGURE.least, FIGURE.share * image.naturalWidth, wanted);
  image.style.width = `${Math.floor(Math.min(FIGURE.most, width))}px`;
}

// Cutting

// Cut a cell where its page is full; returns a cell with the rest, or null if it cannot be cut.
function cut(page, cell) {
  const rest = cell.cloneNode(false);
  const parts = [...cell.children].filter((part) => !part.popover);
  while (parts.length && !fits(page)) rest.prepend(parts.pop());
  const block = rest.firstElementChild;
  const alone = parts.every(isHeading);
  if (block && (alone || block.matches(".table"))) {
    const whole = block.cloneNode(true);
    cell.append(block);
    const more = divide(block, () => fits(page));
    if (!alone && !fits(page)) {
      block.remove(); // not even its beginning has room here
      rest.prepend(whole);
    } else if (more) rest.prepend(more);
  } else {
    while (isHeading(parts.at(-1))) rest.prepend(parts.pop());
  }
  return rest.childElementCount ? rest : null;
}

// Keep of a block what fits; returns a block with the rest, or null if it fits or cannot be cut.
function divide(block, fits) {
  if (fits()) return null;
  if (block.tagName === "PRE") return divideLines(block, fits);
  const inside = (element) => (element.matches("ul, ol") ? element : element.querySelector(LISTS));
  const list = inside(block);
  if (!list) return null;
  const more = block.cloneNode(true);
  const rest = inside(more);
  const all = list.childElementCount;
  while (list.childElementCount > 1 && !fits()) list.lastElementChild.remove();
  for (let kept = list.childElementCount; kept > 0; kept--) rest.firstElementChild.remove();
  if (list.tagName === "OL") rest.start = list.start + list.childElementCount;
  return list.childElementCount < all ? more : null;
}

// Lines of code are cut at an empty one, there and else before the line that is indented least.
function divideLines(block, fits) {
  const more = block.cloneNode(false);
  const lines = block.innerHTML.split("\n");
  const words = block.textContent.split("\n");
  const keep = (count) => (block.innerHTML = lines.slice(0, count).join("\n").trimEnd());
  let most = 1;
  for (let least = lines.length; most < least; ) {
    const middle = Math.ceil((most + least) / 2);
    keep(middle);
    if (fits()) most = middle;
    else least = middle - 1;
  }
  const next = (k) => words.slice(k).find((line) => line.trim()) ?? "";
  const cost = (k) => next(k).search(/\S/) + (words[k].trim() ? 100 : 0);
  let best = most;
  for (let k = most; k > most / 3; k--) if (cost(k) < cost(best)) best = k;
  keep(best);
  more.innerHTML = lines.slice(best).join("\n").replace(/^\n+/, "");
  return more;
}

// Tables

// Put a table into a box, in letters so small that it fits in there; if none are, the box scrolls.
function shrink(table) {
  const box = document.createElement("div");
  box.className = "table";
  table.replaceWith(box);
  box.append(table);
  for (const [space, size] of TABLE) {
    box.style.whiteSpace = space;
    box.style.fontSize = `${size}px`;
    if (table.scrollWidth <= box.clientWidth) return;
  }
}
