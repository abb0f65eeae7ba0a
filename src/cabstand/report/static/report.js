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

  let hour = -1;  // the one shown, or all
  const two = (n) => String(n).padStart(2, "0");
  const span = (n) => two(n) + ":00 to " + two((n + 1) % 24) + ":00";

  function told(spot) {
    const box = document.createElement("div");
    const whole = spot.size.toLocaleString("en") + " pickups";
    const share = hour < 0 ? 1 : spot.hours ? spot.hours[hour] : 0;
    const here = hour < 0 ? whole : Math.round(spot.size * share).toLocaleString("en") + " of " + whole + ", " + span(hour) + ",";
    box.textContent = spot.name + ": " + here + (spot.radius_m === null ? "" : " within " + spot.radius_m + " m");
    return box;
  }

  const outlines = data.hotspots.filter((spot) => spot.outline).map((spot) => {
    const ring = spot.outline.map(([lon, lat]) => [lat, lon]);
    return L.polygon(ring, { color: mark, weight: 1, fillOpacity: 0.12 }).bindPopup(() => told(spot)).addTo(map);
  });

  const largest = Math.max(1, ...data.hotspots.map((spot) => spot.size));
  const marks = data.hotspots.map((spot) =>
    L.circleMarker([spot.lat, spot.lon], { color: mark, weight: 1, fillOpacity: 0.5 }).bindPopup(() => told(spot)).addTo(map));

  const parts = data.parts.map((part) =>
    L.circle([part.lat, part.lon], { radius: part.radius_m, color: mark, weight: 1.5, dashArray: "4", fill: true, fillOpacity: 0 })
      .bindPopup(() => told(part)).addTo(map));

  // An hour's mark is drawn as large as the whole day's would be at that rate, so that hours compare.
  function draw() {
    data.hotspots.forEach((spot, i) => {
      const rate = hour < 0 ? spot.size : spot.hours ? spot.size * spot.hours[hour] * 24 : 0;
      marks[i].setRadius(Math.max(rate > 0 ? 1.5 : 0, 24 * Math.sqrt(rate / largest)));
    });
  }

  const slider = document.getElementById("hour");
  const shown = document.getElementById("hour-shown");
  if (slider) {
    slider.addEventListener("input", () => {
      hour = Number(slider.value);
      shown.textContent = hour < 0 ? "whole day" : span(hour);
      draw();
      [...marks, ...parts, ...outlines].filter((one) => one.isPopupOpen()).forEach((one) => one.getPopup().update());
    });
  }
  draw();

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
