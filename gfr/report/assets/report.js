"use strict";
// The page reads without this; with it charts show exact values and tables sort.

const tip = document.getElementById("tip");
const charts = document.querySelectorAll("svg.chart");

// A title would be shown by the browser as well.
for (const title of document.querySelectorAll("svg.chart title")) {
  title.parentNode.dataset.tip = title.textContent;
  title.remove();
}

function show(mark) {
  hide();
  mark.classList.add("on");
  tip.textContent = mark.dataset.tip;
  tip.hidden = false;
  const at = mark.getBoundingClientRect();
  const strip = mark.classList.contains("strip");
  const top = strip ? at.top + 8 : at.top - tip.offsetHeight - 6;
  const left = strip ? at.right + 10 : at.left + at.width / 2 - tip.offsetWidth / 2;
  const over = left + tip.offsetWidth > innerWidth - 8;
  const beside = strip && over ? at.left - tip.offsetWidth - 10 : left;
  tip.style.left = `${Math.max(8, Math.min(beside, innerWidth - tip.offsetWidth - 8))}px`;
  tip.style.top = `${top < 4 ? at.bottom + 6 : top}px`;
}

function hide() {
  tip.hidden = true;
  for (const mark of document.querySelectorAll(".on")) mark.classList.remove("on");
}

document.addEventListener("pointerover", (event) => {
  const mark = event.target.closest("[data-tip]");
  if (mark) show(mark);
  else hide();
});
document.addEventListener("scroll", () => {
  const mark = document.querySelector(".on");
  if (mark) show(mark);
}, { passive: true, capture: true });
document.addEventListener("keydown", (event) => event.key === "Escape" && hide());

for (const chart of charts) {
  const marks = [...chart.querySelectorAll("[data-tip]")];
  let at = -1;
  if (marks.length) chart.setAttribute("aria-description", "Arrow keys read its values.");
  chart.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step || !marks.length) return;
    event.preventDefault();
    at = at < 0 && step < 0 ? marks.length - 1 : (at + step + marks.length) % marks.length;
    show(marks[at]);
  });
  chart.addEventListener("blur", hide);
}

// A legend that brings out its line.
function follow(figure, key) {
  for (const each of figure.querySelectorAll("svg.chart [data-key]")) {
    each.classList.toggle("dim", Boolean(key) && each.dataset.key !== key);
  }
}
for (const button of document.querySelectorAll(".legend button")) {
  const figure = button.closest("[data-follow]");
  const pressed = () => figure.querySelector("[aria-pressed=true]")?.dataset.key;
  button.addEventListener("pointerenter", () => follow(figure, button.dataset.key));
  button.addEventListener("pointerleave", () => follow(figure, pressed()));
  button.addEventListener("click", () => {
    const key = pressed() === button.dataset.key ? "" : button.dataset.key;
    for (const each of figure.querySelectorAll(".legend button")) {
      each.setAttribute("aria-pressed", String(each.dataset.key === key));
    }
    follow(figure, key);
  });
}

// Tables: by the leading number of the cell, else by its words; empty cells stay last.
function value(row, column) {
  const words = row.cells[column]?.textContent.trim() ?? "";
  const found = words.replace(/,(?=\d{3})/g, "").match(/^\W{0,2}?([+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)/i);
  return { words, number: found ? Number(found[1]) : NaN, empty: words === "" || words === "-" };
}

function sort(button) {
  const head = button.closest("th");
  const table = head.closest("table");
  const falling = head.getAttribute("aria-sort") === "ascending";
  const numeric = head.classList.contains("number");
  for (const each of table.querySelectorAll("th[aria-sort]")) each.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", falling ? "descending" : "ascending");
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => ({ row, ...value(row, head.cellIndex) }));
  rows.sort((a, b) => {
    if (a.empty || b.empty) return a.empty - b.empty;
    const order = numeric ? a.number - b.number : a.words.localeCompare(b.words, "en", { numeric: true });
    return falling ? -order : order;
  });
  body.append(...rows.map(({ row }) => row));
}

for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => sort(button));
}
