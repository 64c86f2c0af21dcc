"use strict";

// A click on a heading sorts the table by its column; a second click reverses the order.
const value = (row, column) => {
  const cell = row.cells[column];
  return cell.dataset.value ?? cell.textContent.trim();
};

const order = (column) => (one, other) => {
  const [a, b] = [value(one, column), value(other, column)];
  const difference = Number(a) - Number(b);
  return Number.isNaN(difference) ? a.localeCompare(b, undefined, { numeric: true }) : difference;
};

const sort = (heading) => {
  const direction = heading.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
  const body = heading.closest("table").tBodies[0];
  const rows = [...body.rows].sort(order(heading.cellIndex));
  body.append(...(direction === "ascending" ? rows : rows.reverse()));
  for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", direction);
};

for (const heading of document.querySelectorAll("table.sortable thead th")) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...heading.childNodes);
  button.addEventListener("click", () => sort(heading));
  heading.append(button);
}
