// Charts, by uPlot: loaded when the first one is drawn, in the colours of the page.

let loading = null;

/** uPlot itself. It is no module: it leaves itself in a global. */
function load() {
  loading ??= new Promise((resolve, reject) => {
    const at = (file) => new URL(`../vendor/uplot/${file}`, import.meta.url).href;
    const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: at("uPlot.min.css") });
    const script = Object.assign(document.createElement("script"), { src: at("uPlot.iife.min.js") });
    script.onload = () => resolve(globalThis.uPlot);
    script.onerror = () => reject(new Error("The library that draws charts did not come"));
    document.head.append(style, script);
  });
  return loading;
}

/** The value of one of the page's colours, as in `colour("--accent")`. */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** The colours of several series, told apart by those who see colours otherwise too. */
export function palette() {
  return [1, 2, 3, 4, 5, 6].map((nth) => colour(`--series-${nth}`));
}

/** An axis in the page's colours; `more` is uPlot's own. */
export function axis(more = {}) {
  const line = { stroke: colour("--line"), width: 1 };
  return { stroke: colour("--ink-soft"), font: "12px system-ui, sans-serif", grid: line, ticks: line, ...more };
}

/**
 * Draws a chart into `element` and keeps it as wide as that is. `options(width)` gives uPlot's options, and is asked again
 * when the colours change. A chart is a picture to whoever cannot see it: `label` says what it shows. Gives an object with
 * `set(data)`.
 */
export async function chart(element, label, options, data, height = 220) {
  const uPlot = await load();
  element.setAttribute("role", "img");
  element.setAttribute("aria-label", label);
  let plot = null;
  const width = () => Math.max(200, Math.floor(element.clientWidth));
  const draw = () => {
    plot?.destroy();
    plot = new uPlot({ width: width(), height, ...options(uPlot) }, data, element);
  };
  draw();
  new ResizeObserver(() => plot.width !== width() && plot.setSize({ width: width(), height })).observe(element);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  return {
    set(next) {
      data = next;
      plot.setData(next);
    },
  };
}
