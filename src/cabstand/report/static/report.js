"use strict";
(function () {
  const data = JSON.parse(document.getElementById("map-data").textContent);
  const colours = getComputedStyle(document.documentElement);
  const mark = colours.getPropertyValue("--mark").trim();
  const line = colours.getPropertyValue("--faint").trim();
  const map = L.map("map", { preferCanvas: true, zoomSnap: 0.25 });
  map.attributionControl.setPrefix("Leaflet");

  // A mark on canvas has no place until the map has a view.
  const [south, west, north, east] = data.frame;
  map.fitBounds([[south, west], [north, east]]);

  if (data.zones) {
    L.geoJSON(data.zones, { interactive: false, style: { color: line, weight: 0.7, fillOpacity: 0.05 } }).addTo(map);
  }

  function told(spot) {
    const box = document.createElement("div");
    const within = spot.radius_m === null ? "" : " within " + spot.radius_m + " m";
    box.textContent = spot.name + ": " + spot.size.toLocaleString("en") + " pickups" + within;
    return box;
  }

  data.hotspots.forEach((spot) => {
    if (!spot.outline) { return; }
    const ring = spot.outline.map(([lon, lat]) => [lat, lon]);
    L.polygon(ring, { color: mark, weight: 1, fillOpacity: 0.12 }).bindPopup(() => told(spot)).addTo(map);
  });

  const largest = Math.max(1, ...data.hotspots.map((spot) => spot.size));
  const marks = data.hotspots.map((spot) =>
    L.circleMarker([spot.lat, spot.lon], { color: mark, weight: 1, fillOpacity: 0.5 }).bindPopup(() => told(spot)).addTo(map));

  // An hour's mark is drawn as large as the whole day's would be at that rate, so that hours compare.
  function draw(hour) {
    data.hotspots.forEach((spot, i) => {
      const rate = hour < 0 ? spot.size : spot.hours ? spot.size * spot.hours[hour] * 24 : 0;
      marks[i].setRadius(Math.max(rate > 0 ? 1.5 : 0, 24 * Math.sqrt(rate / largest)));
    });
  }

  const slider = document.getElementById("hour");
  const shown = document.getElementById("hour-shown");
  if (slider) {
    slider.addEventListener("input", () => {
      const hour = Number(slider.value);
      const two = (n) => String(n).padStart(2, "0");
      shown.textContent = hour < 0 ? "whole day" : two(hour) + ":00 to " + two((hour + 1) % 24) + ":00";
      draw(hour);
    });
  }
  draw(-1);

  // Names of zones, the busiest first; one that would touch another is left out until the map is closer.
  const names = L.layerGroup().addTo(map);
  function label() {
    const taken = [];
    names.clearLayers();
    data.labels.forEach((zone) => {
      const at = map.latLngToContainerPoint([zone.lat, zone.lon]);
      const half = zone.name.length * 3.5 + 4;
      const size = map.getSize();
      if (at.x < half || at.x > size.x - half || at.y < 10 || at.y > size.y - 10) { return; }
      if (taken.some((one) => Math.abs(one.x - at.x) < one.half + half && Math.abs(one.y - at.y) < 16)) { return; }
      taken.push({ x: at.x, y: at.y, half });
      const text = document.createElement("span");
      text.textContent = zone.name;
      const icon = L.divIcon({ className: "zone-name", html: text, iconSize: [0, 0] });
      L.marker([zone.lat, zone.lon], { icon, interactive: false, keyboard: false }).addTo(names);
    });
  }
  map.on("moveend zoomend resize", label);
  label();

  document.querySelectorAll("a[data-spot]").forEach((link) => link.addEventListener("click", (event) => {
    event.preventDefault();
    const i = Number(link.dataset.spot);
    document.getElementById("map").scrollIntoView({ block: "center" });
    map.setView([data.hotspots[i].lat, data.hotspots[i].lon], 15);
    marks[i].openPopup();
  }));

  // Without a search the table shows its first rows, with one every row that has all its words.
  const search = document.getElementById("search");
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
