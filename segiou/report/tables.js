"use strict";

/* tables: a click on a header sorts, the second click the other way round; what has no value stays last */
const collator = new Intl.Collator(undefined, { numeric: true });

function valueOf(row, column) {
  const cell = row.cells[column];
  const given = cell.dataset.value;
  if (given !== undefined) return given === "" ? null : Number(given);
  return cell.textContent.trim();
}

function compare(a, b) {
  return typeof a === "number" && typeof b === "number" ? a - b : collator.compare(a, b);
}

function sort(table, header) {
  const ascending = header.getAttribute("aria-sort") !== "ascending";
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => [valueOf(row, header.cellIndex), row]);
  const known = rows.filter(([value]) => value !== null);
  const sign = ascending ? 1 : -1;
  known.sort(([a], [b]) => sign * compare(a, b));
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  body.append(...[...known, ...rows.filter(([value]) => value === null)].map(([, row]) => row));
}

for (const table of document.querySelectorAll("table.sortable")) {
  for (const header of table.tHead.rows[0].cells) {
    header.firstElementChild.addEventListener("click", () => sort(table, header));
  }
}

for (const input of document.querySelectorAll("[data-filters]")) {
  input.addEventListener("input", () => {
    const wanted = input.value.trim().toLowerCase();
    for (const row of document.getElementById(input.dataset.filters).tBodies[0].rows) {
      row.hidden = !row.textContent.toLowerCase().includes(wanted);
    }
  });
}

/* copying: by the clipboard of the browser, or where that is refused by marking the text to be copied by hand */
for (const button of document.querySelectorAll("[data-copies]")) {
  button.addEventListener("click", async () => {
    const field = document.getElementById(button.dataset.copies), said = document.getElementById(button.dataset.says);
    try {
      await navigator.clipboard.writeText(field.value);
      said.textContent = "Copied.";
    } catch {
      field.hidden = false;
      field.focus();
      field.select();
      said.textContent = "The browser refuses to copy: the text is marked below.";
    }
  });
}
