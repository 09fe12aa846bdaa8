// What a benchmark found, as figures and charts.

import { axis, chart, colour } from "../chart.js";
import { h, note, table } from "../dom.js";
import { shareText } from "./picker.js";

/** A figure with its interval. */
function tile(title, value, note) {
  return h("div", { class: "tile" }, h("span", { class: "soft" }, title), h("strong", {}, value), h("span", { class: "small" }, note));
}

function share(ends, kind) {
  const all = ends.right_name + ends.wrong_name + ends.unknown + ends.inconclusive;
  return all === 0 ? null : ends[kind] / all;
}

/** The report's most important figures. */
export function tiles(report) {
  const { metrics, details } = report;
  const decided = details.decided;
  const ci = metrics.eer_ci95 ? `${shareText(metrics.eer_ci95[0])} to ${shareText(metrics.eer_ci95[1])}` : "no interval";
  return h(
    "div",
    { class: "tiles" },
    decided && tile("Right name", shareText(share(decided.enrolled, "right_name")), "of calls by people on the roster"),
    decided && tile("Strangers named", shareText(share(decided.others, "wrong_name")), "of calls by people on no roster"),
    metrics.wait && tile("Speech until decided", metrics.wait.median_s === null ? "–" : `${metrics.wait.median_s.toFixed(1)} s`, `median; ${shareText(metrics.wait.undecided)} stay undecided`),
    tile("Equal error rate", shareText(metrics.eer), ci),
    metrics.cllr !== null && tile("Cost of the ratios", metrics.cllr.toFixed(3), `Cllr; at least ${metrics.min_cllr.toFixed(3)} with these scores`),
  );
}

/** The figures of each condition. */
export function conditions(report) {
  const rows = Object.entries(report.metrics.by_condition ?? {});
  const figure = (of, digits) => (of === null || of === undefined ? "–" : of.toFixed(digits));
  return table(
    [
      { title: "Condition", cell: ([name]) => name },
      { title: "Trials", class: "number", cell: ([, one]) => String(one.trials ?? "–") },
      { title: "Equal error rate", class: "number", cell: ([, one]) => shareText(one.eer) },
      { title: "minDCF", class: "number", cell: ([, one]) => figure(one.min_dcf, 3) },
      { title: "Cllr", class: "number", cell: ([, one]) => figure(one.cllr, 3) },
      { title: "Not heard", class: "number", cell: ([, one]) => shareText(one.failure_to_acquire) },
    ],
    rows,
    { caption: "Error rates by condition" },
  );
}

/** The inverse of the normal distribution function (Winitzki's approximation), for axes of detection errors. */
function probit(value) {
  const x = 2 * Math.min(Math.max(value, 1e-5), 1 - 1e-5) - 1;
  const log = Math.log(1 - x * x);
  const half = 2 / (Math.PI * 0.147) + log / 2;
  return Math.SQRT2 * Math.sign(x) * Math.sqrt(Math.sqrt(half * half - log / 0.147) - half);
}

const RATES = [0.0001, 0.001, 0.01, 0.05, 0.2, 0.5];

function detectionErrors(curves) {
  const points = new Map();
  for (const { miss, false_alarm } of curves.roc) {
    const at = probit(false_alarm);
    points.set(at, Math.min(points.get(at) ?? Infinity, probit(miss)));
  }
  const rising = [...points].sort(([a], [b]) => a - b);
  const values = (plot, ticks) => ticks.map((at) => shareText(RATES.find((rate) => Math.abs(probit(rate) - at) < 1e-6)));
  // Along a narrow chart the second would run into the first.
  const along = (plot, ticks) => values(plot, ticks).map((text, nth) => (nth === 1 && plot.width < 420 ? "" : text));
  const deviates = (title) => axis({ splits: () => RATES.map(probit), values: title === "Miss" ? values : along, label: title, labelSize: 22, labelFont: "12px system-ui, sans-serif", size: title === "Miss" ? 58 : 44 });
  const range = [probit(RATES[0]), probit(RATES.at(-1))];
  return {
    title: "Detection errors",
    about: "Misses against false alarms of single comparisons, on normal-deviate axes: the nearer to the lower left corner, the better.",
    data: [rising.map(([at]) => at), rising.map(([, miss]) => miss)],
    options: () => ({
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false, range }, y: { range } },
      axes: [deviates("False alarm"), deviates("Miss")],
      series: [{}, { stroke: colour("--series-1"), width: 2, points: { show: false } }],
    }),
    legend: [],
  };
}

function scores(curves) {
  const { spread } = curves;
  const kinds = [
    ["targets", "The same person", "--series-1"],
    ["impostors", "Somebody else who is enrolled", "--series-3"],
    ["strangers", "Somebody who is not", "--series-2"],
  ].filter(([kind]) => spread[kind].some((count) => count > 0));
  const part = (counts) => {
    const all = counts.reduce((sum, count) => sum + count, 0);
    return counts.map((count) => count / Math.max(all, 1));
  };
  const at = spread.targets.map((_, nth) => spread.from + (nth + 0.5) * spread.width);
  return {
    title: "Scores",
    about: "How the scores of comparisons are spread, each kind as shares of its own: what overlaps cannot be told apart.",
    data: [at, ...kinds.map(([kind]) => part(spread[kind]))],
    options: (uPlot) => ({
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false } },
      axes: [axis({ label: "Score", labelSize: 22, labelFont: "12px system-ui, sans-serif" }), axis({ values: (plot, ticks) => ticks.map(shareText), size: 56 })],
      series: [
        {},
        ...kinds.map(([, , name]) => ({
          stroke: colour(name),
          fill: `${colour(name)}22`,
          width: 2,
          paths: uPlot.paths.stepped({ align: 0 }),
          points: { show: false },
        })),
      ],
    }),
    legend: kinds.map(([, text, name]) => [text, name]),
  };
}

/** The charts of a report, and `draw()` for when they stand in the page. */
export function charts(report) {
  const curves = report.curves;
  if (!curves?.roc?.length) {
    return {
      root: note("This report has no curves: it was made by a release that kept none. Make it anew with `voxline bench` to see its charts."),
      draw: async () => {},
    };
  }
  const both = [detectionErrors(curves), scores(curves)].map((one) => ({ ...one, place: h("div", { class: "chart" }) }));
  const root = h(
    "div",
    { class: "pair" },
    both.map(({ title, about, place, legend }) =>
      h(
        "section",
        { class: "card", "aria-label": title },
        h("header", {}, h("h2", {}, title)),
        h("p", { class: "soft" }, about),
        place,
        legend.length > 0 && h("ul", { class: "legend" }, legend.map(([text, name]) => h("li", {}, h("span", { class: "swatch", style: { "--colour": `var(${name})` } }), text))),
      ),
    ),
  );
  const draw = () => Promise.all(both.map(({ about, place, options, data }) => chart(place, about, options, data, 280)));
  return { root, draw };
}
