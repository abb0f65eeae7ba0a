"use strict";
// The table of hotspots: without a search it shows its first rows, with one every row that has all its words.
(function () {
  const search = document.getElementById("search");
  if (!search) { return; }
  const count = document.getElementById("search-count");
  const all = document.getElementById("all");
  const rows = Array.from(document.querySelectorAll("#hotspots tbody tr"));
  const first = rows.filter((row) => !row.hidden).length;
  function find() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const everything = all.getAttribute("aria-pressed") === "true";
    let found = 0;
    rows.forEach((row, i) => {
      const name = row.cells[0].textContent.toLowerCase();
      const fits = words.every((word) => name.includes(word));
      row.hidden = !fits || (!words.length && !everything && i >= first);
      if (!row.hidden) { found += 1; }
    });
    count.textContent = found.toLocaleString("en") + " of " + rows.length.toLocaleString("en") + " shown";
  }
  search.addEventListener("input", find);
  all.addEventListener("click", () => {
    all.setAttribute("aria-pressed", String(all.getAttribute("aria-pressed") !== "true"));
    find();
  });
  find();
})();
