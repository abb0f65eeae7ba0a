"use strict";
// The map of hotspots: one panel or two, each with a period, days and an hour of its own; both show the same place.
(function () {
  const source = document.getElementById("map-data");
  if (!source) { return; }
  const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
  const WEEK = 168;
  const two = (n) => String(n).padStart(2, "0");
  const span = (n) => two(n) + ":00 to " + two((n + 1) % 24) + ":00";
  const count = (n) => Math.round(n).toLocaleString("en");
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const at = (id, i) => document.getElementById(i ? id + "-2" : id);
  let data, panels, shown = { density: true, hotspots: true, names: true };

  async function unpacked(text) {
    const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).arrayBuffer();
  }

  async function unpack(period) {
    const raster = period.raster;
    if (period.weeks) { period.counts = new Uint32Array(await unpacked(period.weeks)); }
    if (!raster) { return; }
    const bytes = await unpacked(raster.data), n = raster.n;
    raster.cell = new Uint32Array(bytes, 0, n);
    raster.count = new Uint16Array(bytes, 4 * n, n);
    raster.hour = new Uint8Array(bytes, 6 * n, n);
    for (let i = 1; i < n; i += 1) { raster.cell[i] += raster.cell[i - 1]; }
    raster.most = grid(raster, new Uint8Array(WEEK).fill(1), 1).reduce((a, b) => Math.max(a, b), 1);
  }

  // Pickups by cell in the hours that are on, spread over the neighbours: the fewer hours, the wider.
  function grid(raster, on, passes) {
    const { rows, columns } = raster, end = rows * columns;
    let sums = new Float32Array(end), other = new Float32Array(end);
    for (let i = 0; i < raster.n; i += 1) { if (on[raster.hour[i]]) { sums[raster.cell[i]] += raster.count[i]; } }
    for (let pass = 0; pass < 2 * passes; pass += 1) {
      const step = pass % 2 ? columns : 1;
      for (let i = step; i < end - step; i += 1) { other[i] = sums[i - step] * 0.25 + sums[i] * 0.5 + sums[i + step] * 0.25; }
      [sums, other] = [other, sums];
    }
    return sums;
  }

  function paint(canvas, raster, on, scale, ramp) {
    const values = grid(raster, on, Math.round(1 + Math.log2(scale) / 2)), context = canvas.getContext("2d");
    canvas.width = raster.columns;
    canvas.height = raster.rows;
    const image = context.createImageData(raster.columns, raster.rows), top = Math.log1p(raster.most * 2);
    for (let i = 0; i < values.length; i += 1) {
      if (values[i] < 0.002) { continue; }
      const t = Math.min(1, Math.log1p(values[i] * scale * 2) / top), k = 4 * Math.round(t * 255);
      for (let c = 0; c < 4; c += 1) { image.data[4 * i + c] = ramp[k + c]; }
    }
    context.putImageData(image, 0, 0);
  }

  // The colours of the density, as bytes, from the stylesheet: from the fewest pickups to the most.
  function colours() {
    const strip = document.createElement("canvas");
    strip.width = 256;
    strip.height = 1;
    const context = strip.getContext("2d", { willReadFrequently: true }), fill = context.createLinearGradient(0, 0, 256, 0);
    const stops = css("--density").split("|");
    stops.forEach((stop, i) => fill.addColorStop(i / (stops.length - 1), stop.trim()));
    context.fillStyle = fill;
    context.fillRect(0, 0, 256, 1);
    return context.getImageData(0, 0, 256, 1).data;
  }

  function panel(i) {
    const map = L.map(at("map", i), { preferCanvas: true, zoomSnap: 0.25, zoomControl: i === 0 });
    map.attributionControl.setPrefix("Leaflet");
    const self = { map, i, period: data.periods[Math.min(i, data.periods.length - 1)], hour: -1, layers: L.layerGroup().addTo(map),
      names: L.layerGroup().addTo(map), canvas: document.createElement("canvas"), overlay: null };
    map.createPane("land").style.zIndex = 250;
    map.createPane("density").style.zIndex = 300;
    const [south, west, north, east] = data.frame;
    map.fitBounds([[south, west], [north, east]], { animate: false });
    if (data.zones) {
      self.land = L.geoJSON(data.zones, { interactive: false, pane: "land", renderer: L.canvas({ pane: "land" }), style: land }).addTo(map);
    }
    map.on("moveend zoomend resize", () => label(self));
    map.on("zoomend", () => resize(self));
    controls(self);
    return self;
  }

  const land = () => ({ color: css("--border"), weight: 0.8, fillColor: css("--land"), fillOpacity: 1 });

  // The hours that a panel shows: all, those of its days, and of its hour if one is chosen.
  function hours(self) {
    const days = self.days ? self.days.value : "all";
    const fits = (day) => days === "all" || (days === "weekdays" ? day < 5 : days === "weekend" ? day > 4 : day === Number(days));
    return Uint8Array.from({ length: WEEK }, (_, k) => fits(Math.floor(k / 24)) && (self.hour < 0 || k % 24 === self.hour));
  }

  function when(self) {
    const days = self.days && self.days.value !== "all" ? self.days.selectedOptions[0].textContent : "";
    return [days, self.hour < 0 ? (days ? "" : "whole day") : span(self.hour)].filter(Boolean).join(", ");
  }

  function pickups(period, k, on, hour) {
    const spot = period.hotspots[k];
    if (period.counts) { return on.reduce((sum, yes, h) => sum + (yes ? period.counts[k * WEEK + h] : 0), 0); }
    return hour < 0 ? spot.size : spot.hours ? spot.size * spot.hours[hour] : 0;
  }

  function told(self, spot, k) {
    const box = document.createElement("div"), whole = count(spot.size) + " pickups";
    const all = self.hour < 0 && (!self.days || self.days.value === "all");
    const some = k === undefined ? spot.size * (spot.hours && self.hour >= 0 ? spot.hours[self.hour] : 1) : pickups(self.period, k, self.on, self.hour);
    const here = all ? whole : count(some) + " of " + whole + ", " + when(self) + ",";
    box.textContent = spot.name + ": " + here + (spot.radius_m === null ? "" : " within " + spot.radius_m + " m");
    return box;
  }

  // Everything of a period but its density; again when another period is chosen.
  function build(self) {
    const mark = css("--mark");
    self.layers.clearLayers();
    self.outlines = self.period.hotspots.map((spot, k) => spot.outline && L.polygon(spot.outline.map(([lon, lat]) => [lat, lon]),
      { color: mark, weight: 0.8, opacity: 0.75, fillOpacity: 0.04 }).bindPopup(() => told(self, spot, k)).addTo(self.layers)).filter(Boolean);
    self.marks = self.period.hotspots.map((spot, k) => L.circleMarker([spot.lat, spot.lon], { color: mark, weight: 1, fillOpacity: 0.16 })
      .bindPopup(() => told(self, spot, k)).addTo(self.layers));
    self.parts = self.period.parts.map((part) => L.circle([part.lat, part.lon], { radius: part.radius_m, color: mark, weight: 1.5, dashArray: "4",
      fill: true, fillOpacity: 0 }).bindPopup(() => told(self, part)).addTo(self.layers));
    self.most = Math.max(1, ...self.period.hotspots.map((spot) => spot.size));
    if (self.overlay) { self.overlay.remove(); self.overlay = null; }
    const raster = self.period.raster;
    if (raster && raster.cell) {
      const box = [[raster.south, raster.west], [raster.north, raster.east]];
      self.overlay = L.svgOverlay(self.canvas, box, { pane: "density", interactive: false });
    }
    draw(self);
  }

  // An hour is drawn as bright and as large as the whole week would be at that rate, so that hours compare.
  function draw(self) {
    self.on = hours(self);
    const n = self.on.reduce((sum, yes) => sum + yes, 0) || 1, scale = WEEK / n;
    const sizes = self.period.hotspots.map((_, k) => pickups(self.period, k, self.on, self.hour));
    self.rates = sizes.map((size) => size * (self.period.counts ? scale : self.hour < 0 ? 1 : 24));
    resize(self);
    if (self.overlay) { paint(self.canvas, self.period.raster, self.on, scale, colours()); }
    layers(self);
    say(self, sizes);
    pulse(self);
    [...self.marks, ...self.parts, ...self.outlines].filter((one) => one.isPopupOpen()).forEach((one) => one.getPopup().update());
  }

  // From afar marks are smaller, so that they do not hide each other and the density under them.
  function resize(self) {
    const zoom = self.map.getZoom(), largest = 22 * Math.min(1.3, Math.max(0.25, Math.pow(1.45, zoom - 13)));
    self.outlines.forEach((one) => one.setStyle({ opacity: zoom < 11.5 ? 0 : 0.75 }));
    self.rates.forEach((rate, k) => self.marks[k].setRadius(rate > 0 ? Math.max(1, largest * Math.sqrt(rate / self.most)) : 0));
  }

  function layers(self) {
    const put = (layer, on) => { if (layer && on !== self.map.hasLayer(layer)) { on ? layer.addTo(self.map) : layer.remove(); } };
    put(self.layers, shown.hotspots);
    put(self.overlay, shown.density);
    put(self.names, shown.names);
  }

  function say(self, sizes) {
    const busiest = sizes.reduce((best, size, k) => (size > sizes[best] ? k : best), 0), spot = self.period.hotspots[busiest];
    const inside = sizes.reduce((a, b) => a + b, 0), pulse = self.period.week;
    const every = pulse ? pulse.reduce((sum, n, h) => sum + (self.on[h] ? n : 0), 0) : 0;
    const words = every ? [count(every) + " pickups", count(inside) + " in a hotspot"] : [count(inside) + " pickups in a hotspot"];
    if (inside) { words.push("busiest: " + spot.name + " with " + count(sizes[busiest])); }
    at("told", self.i).textContent = words.join("; ");
    const text = self.hour < 0 ? "whole day" : span(self.hour);
    if (self.slider) {
      at("hour-shown", self.i).textContent = text;
      self.slider.setAttribute("aria-valuetext", text);
    }
  }

  // The week as a strip: a row for each day, a column for each hour; a click chooses it.
  function pulse(self) {
    const strip = at("week", self.i), values = self.period.week;
    if (!strip) { return; }
    strip.parentElement.hidden = !values;
    if (!values) { return; }
    const ramp = colours(), most = Math.max(...values), context = strip.getContext("2d"), wide = strip.width / 24, high = strip.height / 7;
    context.clearRect(0, 0, strip.width, strip.height);
    values.forEach((n, h) => {
      const k = 4 * Math.round(255 * (0.12 + 0.88 * n / most)), x = (h % 24) * wide, y = Math.floor(h / 24) * high;
      context.globalAlpha = self.on[h] ? 1 : 0.3;
      context.fillStyle = "rgba(" + ramp[k] + "," + ramp[k + 1] + "," + ramp[k + 2] + "," + ramp[k + 3] / 255 + ")";
      context.fillRect(x + 1, y + 1, wide - 2, high - 2);
    });
    context.globalAlpha = 1;
  }

  // Names of zones, the busiest first; one that would touch another is left out until the map is closer.
  function label(self) {
    const taken = [], size = self.map.getSize();
    self.names.clearLayers();
    data.labels.forEach((zone) => {
      const place = self.map.latLngToContainerPoint([zone.lat, zone.lon]), half = zone.name.length * 3.3 + 5;
      if (place.x < half || place.x > size.x - half || place.y < 10 || place.y > size.y - 10) { return; }
      if (taken.some((one) => Math.abs(one.x - place.x) < one.half + half && Math.abs(one.y - place.y) < 17)) { return; }
      taken.push({ x: place.x, y: place.y, half });
      const text = document.createElement("span");
      text.textContent = zone.name;
      const icon = L.divIcon({ className: zone.busy ? "zone-name" : "zone-name quiet", html: text, iconSize: [0, 0] });
      L.marker([zone.lat, zone.lon], { icon, interactive: false, keyboard: false }).addTo(self.names);
    });
  }

  function controls(self) {
    const i = self.i, period = at("period", i), play = at("play", i), strip = at("week", i);
    self.days = at("days", i);
    self.slider = at("hour", i);
    if (period) {
      period.value = String(data.periods.indexOf(self.period));
      period.addEventListener("change", () => { self.period = data.periods[period.value]; build(self); });
    }
    if (self.days) { self.days.addEventListener("change", () => draw(self)); }
    if (!self.slider) { return; }
    const turn = (hour) => { self.hour = hour; self.slider.value = String(hour); draw(self); };
    self.slider.addEventListener("input", () => turn(Number(self.slider.value)));
    let timer = 0;
    play.addEventListener("click", () => {
      const on = !timer;
      play.setAttribute("aria-pressed", String(on));
      at("told", i).setAttribute("aria-live", on ? "off" : "polite");
      clearInterval(timer);
      timer = on ? setInterval(() => turn((self.hour + 1) % 24), 900) : 0;
    });
    if (strip) {
      strip.addEventListener("click", (event) => {
        const day = Math.floor(event.offsetY / strip.clientHeight * 7), hour = Math.floor(event.offsetX / strip.clientWidth * 24);
        self.days.value = String(Math.min(6, Math.max(0, day)));
        turn(Math.min(23, Math.max(0, hour)));
      });
    }
  }

  // Both maps show the same place: one follows the other.
  function pair(a, b) {
    let busy = false;
    const follow = (from, to) => from.map.on("move", () => {
      if (busy || !panels[1] || !panels[1].wanted) { return; }
      busy = true;
      to.map.setView(from.map.getCenter(), from.map.getZoom(), { animate: false });
      busy = false;
    });
    follow(a, b);
    follow(b, a);
  }

  function beside(button) {
    const box = document.getElementById("panel-2"), on = box.hidden;
    button.setAttribute("aria-pressed", String(on));
    box.hidden = !on;
    box.parentElement.classList.toggle("two", on);
    if (on && !panels[1]) {
      panels.push(panel(1));
      build(panels[1]);
      pair(panels[0], panels[1]);
    }
    panels[1].wanted = on;
    panels.forEach((one) => one.map.invalidateSize());
    if (on) { panels[1].map.setView(panels[0].map.getCenter(), panels[0].map.getZoom(), { animate: false }); }
    panels.filter((one) => !one.i || on).forEach(label);
  }

  function open(k) {
    const self = panels[0], spot = data.periods[0].hotspots[k];
    if (self.period !== data.periods[0]) {
      self.period = data.periods[0];
      at("period", 0).value = "0";
      build(self);
    }
    at("map", 0).scrollIntoView({ block: "center" });
    self.map.setView([spot.lat, spot.lon], 15);
    self.marks[k].openPopup();
  }

  function wire() {
    const button = document.getElementById("beside");
    button.addEventListener("click", () => beside(button));
    document.getElementById("whole").addEventListener("click", () => {
      const [south, west, north, east] = data.whole;
      panels[0].map.fitBounds([[south, west], [north, east]]);
    });
    document.querySelectorAll("[data-layer]").forEach((box) => box.addEventListener("change", () => {
      shown[box.dataset.layer] = box.checked;
      panels.forEach(layers);
    }));
    document.querySelectorAll("a[data-spot]").forEach((link) => link.addEventListener("click", (event) => {
      event.preventDefault();
      open(Number(link.dataset.spot));
    }));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => panels.forEach((one) => {
      if (one.land) { one.land.setStyle(land()); }
      build(one);
    }));
  }

  async function start() {
    data = JSON.parse(source.textContent);
    panels = [panel(0)];
    build(panels[0]);
    label(panels[0]);
    wire();
    document.documentElement.dataset.map = "drawn";
    if (typeof DecompressionStream === "undefined") { return; }
    await Promise.all(data.periods.map(unpack));
    panels.forEach(build);
    document.documentElement.dataset.map = "whole";
  }

  requestAnimationFrame(() => setTimeout(start));  // the page is painted first
})();
