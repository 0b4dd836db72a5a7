"use strict";
// Sorts, searches and filters the rows that are on the page; without it all of them are shown, in the source's order.
(() => {
  const table = document.getElementById("rows"), body = table.tBodies[0], rows = [...body.rows];
  const form = document.getElementById("tools"), count = document.getElementById("count");
  const [search, grade, only] = ["search", "grade", "only"].map((id) => document.getElementById(id));

  const filter = () => {
    const words = search.value.normalize("NFKC").toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const { search: text, grade: letter, codes } = row.dataset;
      row.hidden = !(words.every((word) => text.includes(word)) && (!grade.value || letter === grade.value)
        && (!only.value || codes.split(" ").includes(only.value)));
      shown += row.hidden ? 0 : 1;
    }
    count.textContent = count.dataset.text.replace("#", shown);
    document.getElementById("none").hidden = shown > 0;
  };

  // What is missing stands last, whichever way the column is sorted.
  const compare = (key, turn) => (a, b) => {
    const [x, y] = [a, b].map((row) => (key === "text" ? row.cells[0].textContent.trim() : row.dataset[key]));
    const missing = (v) => v === "" || v === "-";
    if (missing(x) || missing(y)) return missing(x) - missing(y) || a.dataset.at - b.dataset.at;
    const order = key === "text" || key === "grade" ? x.localeCompare(y, document.documentElement.lang) : x - y;
    return turn * order || a.dataset.at - b.dataset.at;
  };

  const sort = (head) => {
    const key = head.dataset.sort, words = key === "text" || key === "grade" || key === "odds";
    const first = words ? "ascending" : "descending", now = head.getAttribute("aria-sort");
    const next = now === null ? first : now === "ascending" ? "descending" : "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", next);
    rows.sort(compare(key, next === "ascending" ? 1 : -1));
    body.append(...rows);
  };

  for (const head of table.tHead.rows[0].cells) {
    if (!head.dataset.sort) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sort(head));
  }
  for (const control of [search, grade, only]) control.addEventListener("input", filter);
  form.addEventListener("reset", () => setTimeout(filter));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  filter();
})();
