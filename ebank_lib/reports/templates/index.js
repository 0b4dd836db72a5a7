"use strict";
// Sorts and searches the rows that are on the page; without it all of them are shown, in the page's order.
(() => {
  const table = document.getElementById("rows"), body = table.tBodies[0], rows = [...body.rows];
  const form = document.getElementById("tools"), count = document.getElementById("count");
  const [search, order] = ["search", "order"].map((id) => document.getElementById(id));

  const filter = () => {
    const words = search.value.normalize("NFKC").toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      row.hidden = !words.every((word) => row.dataset.search.includes(word));
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

  const sort = (head, turned) => {
    const key = head.dataset.sort, rising = ["text", "grade", "odds", "yoy"].includes(key);
    const first = rising ? "ascending" : "descending", now = turned ? head.getAttribute("aria-sort") : null;
    const next = now === null ? first : now === "ascending" ? "descending" : "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", next);
    rows.sort(compare(key, next === "ascending" ? 1 : -1));
    body.append(...rows);
  };

  const heads = [...table.tHead.rows[0].cells].filter((head) => head.dataset.sort);
  for (const head of heads) {
    order.add(new Option(head.textContent.trim(), head.dataset.sort));
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-label", table.dataset.sortBy.replace("#", head.textContent.trim()));
    head.append("\u00a0", button);
    // The whole head can be clicked; the button in it is what a keyboard reaches.
    head.addEventListener("click", () => sort(head, true));
  }
  order.addEventListener("input", () => {
    if (order.value) sort(heads.find((head) => head.dataset.sort === order.value), false);
  });
  search.addEventListener("input", filter);
  form.addEventListener("reset", () => setTimeout(filter));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  filter();
})();
