"use strict";
(function () {
  const data = JSON.parse(document.getElementById("map-data").textContent);
  const colours = getComputedStyle(document.documentElement);
  const mark = colours.getPropertyValue("--mark").trim();
  const line = colours.getPropertyValue("--faint").trim();
  const map = L.map("map", { preferCanvas: true, zoomSnap: 0.25 });
  map.attributionControl.setPrefix("Leaflet");

  // A mark on canvas has no place until the map has a view.
  const spots = data.hotspots.slice(0, 200).map((spot) => [spot.lat, spot.lon]);
  if (spots.length > 1) { map.fitBounds(L.latLngBounds(spots).pad(0.05)); }
  else { map.setView(spots[0] || [40.75, -73.97], 12); }

  if (data.zones) {
    L.geoJSON(data.zones, { interactive: false, style: { color: line, weight: 0.7, fillOpacity: 0.05 } }).addTo(map);
  }

  let hour = -1;  // the one shown, or all
  const two = (n) => String(n).padStart(2, "0");
  const span = (n) => two(n) + ":00 to " + two((n + 1) % 24) + ":00";

  function told(spot) {
    const box = document.createElement("div");
    const whole = spot.size.toLocaleString("en") + " pickups";
    const here = hour < 0 ? whole : Math.round(spot.size * spot.hours[hour]).toLocaleString("en") + " of " + whole + ", " + span(hour) + ",";
    box.textContent = spot.name + ": " + here + (spot.radius_m === null ? "" : " within " + spot.radius_m + " m");
    return box;
  }

  const largest = Math.max(1, ...data.hotspots.map((spot) => spot.size));
  const marks = data.hotspots.map((spot) =>
    L.circleMarker([spot.lat, spot.lon], { color: mark, weight: 1, fillOpacity: 0.5 }).bindPopup(() => told(spot)).addTo(map));

  const parts = data.parts.map((part) =>
    L.circle([part.lat, part.lon], { radius: part.radius_m, color: mark, weight: 1.5, dashArray: "4", fill: true, fillOpacity: 0 })
      .bindPopup(() => told(part)).addTo(map));

  // An hour's mark is drawn as large as the whole day's would be at that rate, so that hours compare.
  function draw() {
    data.hotspots.forEach((spot, i) => {
      const rate = hour < 0 ? spot.size : spot.size * spot.hours[hour] * 24;
      marks[i].setRadius(Math.max(rate > 0 ? 1.5 : 0, 24 * Math.sqrt(rate / largest)));
    });
  }

  const slider = document.getElementById("hour");
  const shown = document.getElementById("hour-shown");
  if (slider) slider.addEventListener("input", () => {
    hour = Number(slider.value);
    shown.textContent = hour < 0 ? "whole day" : span(hour);
    draw();
    marks.concat(parts).filter((one) => one.isPopupOpen()).forEach((one) => one.getPopup().update());
  });

  draw();

  document.querySelectorAll("a[data-spot]").forEach((link) => link.addEventListener("click", (event) => {
    event.preventDefault();
    const i = Number(link.dataset.spot);
    document.getElementById("map").scrollIntoView({ block: "center" });
    map.setView([data.hotspots[i].lat, data.hotspots[i].lon], 15);
    marks[i].openPopup();
  }));
})();
