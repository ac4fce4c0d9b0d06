// What the page does: values at the pointer, in all charts at once, and images enlarged. Without
// it the page is complete but still.
"use strict";
for (const run of document.querySelectorAll("main")) {
  const data = JSON.parse(run.querySelector("script").textContent);
  const space = "http://www.w3.org/2000/svg";
  const charts = [];

  function words(value, digits = 4) {
    if (value === null) return "not a number";
    const size = Math.abs(value);
    if (size === 0) return "0";
    if (size < 1e-3 || size >= 1e9) return value.toExponential(3).replace(/\.?0+e/, "e").replace("e+", "e");
    return value.toLocaleString("en-US", { maximumSignificantDigits: size >= 1000 ? 6 : digits });
  }

  // The index of the value nearest to x in an ascending list.
  function nearest(list, x) {
    let low = 0, high = list.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (list[middle] <= x) low = middle; else high = middle;
    }
    return Math.abs(list[high] - x) < Math.abs(list[low] - x) ? high : low;
  }

  for (const figure of run.querySelectorAll(".chart")) {
    const curve = data.curves[Number(figure.dataset.curve)];
    const svg = figure.querySelector("svg");
    const output = figure.querySelector("output");
    if (!curve || !svg || curve.x.length === 0) continue;
    const line = svg.appendChild(document.createElementNS(space, "line"));
    const marker = svg.appendChild(document.createElementNS(space, "circle"));
    line.setAttribute("class", "cursor");
    marker.setAttribute("class", "marker");
    marker.setAttribute("r", "4");
    const rest = output.textContent;
    const [left, top, right, bottom] = curve.plot;
    const [x0, x1, y0, y1] = curve.range;
    const chart = { curve, figure, index: -1 };

    chart.hide = function () {
      line.style.display = marker.style.display = "none";
      output.textContent = rest;
      figure.classList.remove("active");
    };
    chart.show = function (x) {
      const i = chart.index = nearest(curve.x, x);
      const value = curve.y[i];
      const px = left + (curve.x[i] - x0) / (x1 - x0) * (right - left);
      line.style.display = "";
      for (const [name, number] of [["x1", px], ["x2", px], ["y1", top], ["y2", bottom]]) {
        line.setAttribute(name, number);
      }
      if (value === null) {
        marker.style.display = "none";
      } else {
        const part = curve.isLogarithmic
          ? Math.log(value / y0) / Math.log(y1 / y0) : (value - y0) / (y1 - y0);
        marker.style.display = "";
        marker.setAttribute("cx", px);
        marker.setAttribute("cy", bottom - part * (bottom - top));
      }
      const error = curve.e && curve.e[i] !== null ? " ± " + words(curve.e[i], 2) : "";
      const step = curve.s ? " · step " + curve.s[i].toLocaleString("en-US") : "";
      output.textContent =
        words(value) + error + " at " + data.noun + " " + curve.x[i].toLocaleString("en-US") + step;
      figure.classList.add("active");
    };
    chart.valueAt = function (clientX) {
      const box = svg.getBoundingClientRect();
      const px = (clientX - box.left) / box.width * svg.viewBox.baseVal.width;
      return x0 + (px - left) / (right - left) * (x1 - x0);
    };
    chart.hide();
    charts.push(chart);

    let waiting = null;
    function point(event) {
      const isFirst = waiting === null;
      waiting = event.clientX;
      if (isFirst) requestAnimationFrame(function () {
        const x = chart.curve.x[nearest(chart.curve.x, chart.valueAt(waiting))];
        waiting = null;
        for (const each of charts) each.show(x);
      });
    }
    figure.addEventListener("pointermove", point);
    figure.addEventListener("pointerdown", point);
    figure.addEventListener("pointerleave", function (event) {
      // A finger that is lifted leaves the values to be read.
      if (event.pointerType === "mouse") for (const each of charts) each.hide();
    });
    figure.addEventListener("keydown", function (event) {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const start = chart.index < 0 ? curve.x.length : chart.index;
      const i = Math.max(0, Math.min(curve.x.length - 1, start + step));
      for (const each of charts) each.show(curve.x[i]);
    });
  }

  document.addEventListener("pointerdown", function (event) {
    if (!event.target.closest(".chart")) for (const each of charts) each.hide();
  });

  for (const image of run.querySelectorAll(".image")) {
    image.querySelector("button").addEventListener("click", function () {
      for (const other of run.querySelectorAll(".image.large")) other.classList.remove("large");
      image.classList.add("large");
      image.scrollIntoView({ block: "nearest" });
    });
  }
}
