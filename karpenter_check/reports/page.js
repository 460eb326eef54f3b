"use strict";
const form = document.getElementById("filter");
const words = document.getElementById("words");
const shown = document.getElementById("shown");
const rows = [...document.querySelectorAll("#findings tr")];
const boxes = [...form.querySelectorAll("input[type=checkbox]")];

function apply() {
  const chosen = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
  const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !chosen.has(row.dataset.severity) || !wanted.every((word) => text.includes(word));
    count += row.hidden ? 0 : 1;
  }
  shown.textContent = `${count} of ${rows.length} shown`;
}

form.hidden = false;
form.addEventListener("input", apply);
form.addEventListener("submit", (event) => event.preventDefault());
// on paper everything is unfolded, as far as it is shown
const folded = new Set();
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("tr:not([hidden]) details:not([open])")) {
    folded.add(details);
    details.open = true;
  }
});
addEventListener("afterprint", () => {
  for (const details of folded) details.open = false;
  folded.clear();
});
apply();
