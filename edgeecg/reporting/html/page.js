// Glue between the page and Plotly: it unpacks the library, draws the figures in the colours of the
// page, and lets a selected variant be followed through the page.
"use strict";
(() => {
  let figures = [];
  const plots = [...document.querySelectorAll(".plot")];
  const phone = matchMedia("(max-width: 40rem)");

  const unpack = async (id) => {
    const packed = Uint8Array.from(atob(document.getElementById(id).textContent), (c) =>
      c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  };

  // "$name" is the CSS variable --name.
  const coloured = (value, style) => {
    if (Array.isArray(value)) return value.map((each) => coloured(each, style));
    if (value && typeof value === "object") {
      const pairs = Object.entries(value).map(([key, each]) =>
        /color$/i.test(key) && typeof each === "string" && each.startsWith("$")
          ? [key, style.getPropertyValue(`--${each.slice(1)}`).trim()]
          : key === "colorscale"
            ? [key, each.map(([at, name]) => [at, style.getPropertyValue(`--${name.slice(1)}`).trim()])]
            : [key, coloured(each, style)]);
      return Object.fromEntries(pairs);
    }
    return value;
  };

  const layoutOf = (figure, style) => {
    const axes = Object.fromEntries(Object.keys(figure.layout)
      .filter((key) => /^[xy]axis\d*$/.test(key))
      .map((key) => [key, {
        gridcolor: "$grid", linecolor: "$grid", zerolinecolor: "$grid", automargin: true,
        ...figure.layout[key],
        title: { font: { size: 12 }, standoff: 8, ...figure.layout[key].title },
      }]));
    return coloured({
      font: { family: "system-ui, 'DejaVu Sans', sans-serif", size: 12, color: "$ink" },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      margin: { l: 50, r: 20, t: 10, b: 45 }, height: figure.height,
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, font: { size: 11 } },
      hoverlabel: { align: "left", bgcolor: "$card", bordercolor: "$soft", font: { color: "$ink" } },
      hovermode: "closest", dragmode: phone.matches ? false : "zoom",
      ...figure.layout, ...axes,
    }, style);
  };

  const config = { responsive: true, displaylogo: false, doubleClick: "reset",
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"] };

  let chosen = null;
  const marked = (figure) => figure.data.map((trace) => trace.customdata && chosen !== null
    ? { ...trace, selectedpoints: trace.customdata.flatMap((id, n) => id === chosen ? [n] : []) }
    : trace);

  const draw = async (plot) => {
    if (!plot.offsetWidth) return;
    const figure = figures[plot.dataset.figure];
    const style = getComputedStyle(document.documentElement);
    await Plotly.react(plot, coloured(marked(figure), style), layoutOf(figure, style), config);
    if (plot.dataset.drawn) return;
    plot.dataset.drawn = "yes";
    plot.on("plotly_click", (event) => {
      const id = event.points.find((point) => Number.isInteger(point.customdata))?.customdata;
      if (id !== undefined) select(id);
    });
  };
  const redraw = () => Promise.all(plots.map(draw));

  const panels = [...document.querySelectorAll("[data-panel]")];
  const menu = document.getElementById("variant");
  const select = (id) => {
    chosen = id;
    for (const panel of panels) panel.hidden = panel.dataset.panel !== String(id);
    for (const row of document.querySelectorAll("tr[data-variant]"))
      row.classList.toggle("chosen", row.dataset.variant === String(id));
    if (menu) menu.value = id === null ? "" : String(id);
    redraw();
  };
  menu?.addEventListener("change", () => select(menu.value === "" ? null : Number(menu.value)));
  for (const button of document.querySelectorAll("button[data-select]"))
    button.addEventListener("click", () => select(Number(button.dataset.select)));

  // Sorting and filtering of the tables that ask for it.
  const valueOf = (row, column) => {
    const cell = row.cells[column];
    const number = cell.dataset.value;
    return number === undefined || number === "" ? cell.textContent.trim() : Number(number);
  };
  for (const head of document.querySelectorAll("table.sortable thead th"))
    head.querySelector("button")?.addEventListener("click", () => {
      const rising = head.getAttribute("aria-sort") !== "ascending";
      for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", rising ? "ascending" : "descending");
      const body = head.closest("table").tBodies[0];
      const known = (value) => typeof value === "number" ? 0 : value === "–" ? 2 : 1;
      const rows = [...body.rows].map((row) => [valueOf(row, head.cellIndex), row]);
      rows.sort(([a], [b]) => known(a) - known(b) || (rising ? 1 : -1) *
        (typeof a === "number" ? a - b : a.localeCompare(b)));
      body.append(...rows.map(([, row]) => row));
    });
  for (const field of document.querySelectorAll("input[data-filter]"))
    field.addEventListener("input", () => {
      const wanted = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      const rows = [...document.getElementById(field.dataset.filter).tBodies[0].rows];
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !wanted.every((word) => text.includes(word));
      }
      field.nextElementSibling.textContent =
        `${rows.filter((row) => !row.hidden).length} of ${rows.length}`;
    });

  for (const folded of document.querySelectorAll("details")) folded.addEventListener("toggle", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  matchMedia("print").addEventListener("change", redraw);
  phone.addEventListener("change", redraw);
  const start = async () => {
    try {
      if (plots.length) {
        figures = JSON.parse(await unpack("figures"));
        const script = document.createElement("script");
        script.text = await unpack("plotly");
        document.head.append(script);
        // What can be seen first; the rest while nothing else is done.
        const near = (plot) => plot.getBoundingClientRect().top < innerHeight;
        for (const plot of plots.filter(near)) await draw(plot);
        document.documentElement.dataset.ready = "yes";
        for (const plot of plots) {
          if (!plot.dataset.drawn) await draw(plot);
          await new Promise((done) => setTimeout(done));
        }
      }
      document.documentElement.dataset.ready = "yes";
      document.documentElement.dataset.complete = "yes";
    } catch (error) {
      // An old browser: the tables hold every number.
      for (const plot of plots) plot.textContent = `The figure cannot be drawn: ${error.message}`;
    }
  };
  start();
})();
