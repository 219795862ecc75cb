"use strict";
(async () => {
  const places = document.querySelectorAll("[data-chart]");
  const say = (place, text) => {
    const note = document.createElement("p");
    note.className = "notice";
    note.textContent = text;
    place.replaceChildren(note);
  };
  try {
    for (const script of document.querySelectorAll("script[data-library]")) {
      const bytes = Uint8Array.from(atob(script.textContent), (sign) => sign.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
      const library = document.createElement("script");
      library.textContent = await new Response(stream).text();
      document.head.append(library);
    }
  } catch (error) {
    places.forEach((place) => say(place, `Charts need a newer browser (${error.message}).`));
    return;
  }
  // colours are those of the style sheet, so that they follow light, dark and print by themselves
  const axis = {
    labelColor: "var(--muted)", titleColor: "var(--muted)", gridColor: "var(--grid)",
    domainColor: "var(--line)", tickColor: "var(--line)", titleFontWeight: 500,
    labelFontSize: 11, titleFontSize: 12, labelLimit: 190, tickCount: 6, labelOverlap: true,
  };
  const config = {
    background: "transparent", font: "system-ui, sans-serif", view: { stroke: null }, axis,
    legend: { labelColor: "var(--ink)", titleColor: "var(--muted)", labelFontSize: 12,
      titleFontSize: 12, titleFontWeight: 500, symbolStrokeWidth: 3, labelLimit: 320, columns: 3 },
    header: { labelColor: "var(--ink)", titleColor: "var(--muted)" },
    text: { color: "var(--muted)" }, rule: { color: "var(--muted)" },
    line: { strokeWidth: 1.8, strokeJoin: "round" }, bar: { cornerRadiusEnd: 2 },
  };
  const specs = JSON.parse(document.getElementById("charts").textContent);
  const draw = async (place) => {
    const spec = { ...specs[place.dataset.chart], config,
      autosize: { type: "fit-x", contains: "padding", resize: true } };
    try {
      await vegaEmbed(place, spec, { renderer: "svg", ast: false, hover: true,
        actions: { export: true, source: false, compiled: false, editor: false } });
    } catch (error) {
      console.error(error);
      say(place, `This chart could not be drawn: ${error.message}`);
    }
  };
  for (const place of places) {
    const closed = place.closest("details:not([open])");
    // inside of it a chart would have no width
    if (closed) closed.addEventListener("toggle", () => draw(place), { once: true });
    else await draw(place);
  }
  document.documentElement.dataset.ready = "true";
})();
