// Whether the scores of calls have moved since the first weeks, without anybody having said who called.

import { get } from "../api.js";
import { axis, chart, colour } from "../chart.js";
import { badge, empty, h, may, problem, progress, table } from "../dom.js";
import { hidden } from "./people.js";
import { shareText } from "./picker.js";

const OUTCOMES = [
  ["identified", "Identified", "--series-1"],
  ["unknown", "Unknown", "--series-3"],
  ["inconclusive", "Inconclusive", "--series-6"],
];

function day(instant) {
  return new Date(instant).toLocaleDateString(undefined, { day: "numeric", month: "short", timeZone: "UTC" });
}

/** The drift of calls, as a section; `numbers` may be none where they cannot be seen. Gives it and `show()`. */
export function drift(session, numbers) {
  const by = h("select", { id: "drift-by" }, h("option", { value: "week" }, "Weeks (26)"), h("option", { value: "day" }, "Days (70)"));
  const number = h("select", { id: "drift-number" }, h("option", { value: "" }, "All numbers"), numbers.map((known) => h("option", { value: known.number }, known.number)));
  const place = h("div", { class: "stack" });
  const root = h(
    "section",
    { "aria-labelledby": "drift-heading", id: "drift" },
    h("h2", { id: "drift-heading" }, "Have calls changed?"),
    h("p", { class: "soft" }, "The latest four weeks against the first four. Nobody needs to know who called: it tells that calls are scored otherwise, not that they are decided wrongly."),
    h(
      "div",
      { class: "filters" },
      h("div", { class: "field" }, h("label", { for: "drift-by" }, "Shown by"), by),
      numbers.length > 1 && h("div", { class: "field" }, h("label", { for: "drift-number" }, "Calls to"), number),
    ),
    place,
  );
  async function show() {
    const query = new URLSearchParams({ by: by.value });
    if (number.value) query.set("number", number.value);
    try {
      await draw(by.value, await progress(get(`/v1/accuracy/drift?${query}`), place));
    } catch (error) {
      place.replaceChildren(problem(error));
    }
  }
  async function draw(shownBy, found) {
    if (found.spans.length === 0) {
      place.replaceChildren(empty("No call yet", found.sentence));
      return;
    }
    const [word, kind] = found.moved === null ? ["Not known yet", null] : found.moved ? ["Moved", "warn"] : ["Steady", "good"];
    const sees = may(session, "scores");
    const ratios = sees && found.spans.some((span) => span.ratios) ? card("Best ratio of each call", RATIOS) : null;
    const outcomes = card("How calls ended", outcomeLegend());
    place.replaceChildren(
      h("div", { class: found.moved ? "note warn" : "note" }, h("p", { id: "drift-sentence" }, badge(word, kind), " ", found.sentence)),
      h("div", { class: "pair" }, ratios?.root ?? "", outcomes.root),
      sees ? "" : hidden("How the ratios of calls are spread", "scores"),
      details(found, sees),
    );
    await Promise.all([ratios && drawRatios(ratios.place, found, shownBy), drawOutcomes(outcomes.place, found, shownBy)]);
  }
  by.addEventListener("change", show);
  number.addEventListener("change", show);
  return { root, show };
}

const RATIOS = [
  ["Median", "--series-1"],
  ["Middle half, and paler the middle 90 %", "--series-1-pale"],
];

function outcomeLegend() {
  return OUTCOMES.map(([, text, name]) => [text, name]);
}

function card(title, legend) {
  const place = h("div", { class: "chart" });
  const swatch = ([text, name]) => h("li", {}, h("span", { class: "swatch", style: { "--colour": `var(${name})` } }), text);
  return { place, root: h("section", { class: "card", "aria-label": title }, h("header", {}, h("h3", {}, title)), place, h("ul", { class: "legend" }, legend.map(swatch))) };
}

/** How far back each choice looks, in seconds, as the service does. */
const BACK = { week: 26 * 7 * 86_400, day: 70 * 86_400 };

/** The span that was asked for, as the range of time: around a single moment uPlot would show years. */
function range(found, by) {
  const now = Date.now() / 1000;
  return [Math.min(now - BACK[by], moments(found)[0]), now];
}

/** Moments as uPlot has them. */
function moments(found) {
  return found.spans.map((span) => Date.parse(span.from) / 1000);
}

function drawRatios(place, found, by) {
  const quantile = (nth) => found.spans.map((span) => span.ratios?.[nth] ?? null);
  const options = () => {
    const accent = colour("--series-1");
    const edge = { stroke: "transparent", points: { show: false } };
    return {
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { range: range(found, by) } },
      axes: [axis(), axis({ size: 46, label: "Log ratio", labelSize: 22, labelFont: "12px system-ui, sans-serif" })],
      series: [{}, edge, edge, { stroke: accent, width: 2, points: { show: true, size: 5, fill: accent } }, edge, edge],
      bands: [
        { series: [5, 1], fill: `${accent}14` },
        { series: [4, 2], fill: `${accent}2b` },
      ],
    };
  };
  const label = "The median ratio of the best candidate over time, with the middle half and the middle 90 % of calls; the figures stand in the table below";
  return chart(place, label, options, [moments(found), ...[0, 1, 2, 3, 4].map(quantile)], 240);
}

function drawOutcomes(place, found, by) {
  const part = (kind) => found.spans.map((span) => span.outcomes[kind] / span.calls);
  const options = () => ({
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { range: range(found, by) }, y: { range: [0, 1] } },
    axes: [axis(), axis({ values: (plot, ticks) => ticks.map((tick) => `${Math.round(tick * 100)} %`), size: 56 })],
    series: [{}, ...OUTCOMES.map(([, , name]) => ({ stroke: colour(name), width: 2, points: { show: true, size: 5, fill: colour(name) } }))],
  });
  return chart(place, "Shares of calls that were identified, unknown and inconclusive over time; the figures stand in the table below", options, [moments(found), ...OUTCOMES.map(([kind]) => part(kind))], 240);
}

function details(found, sees) {
  const spans = [...found.spans].reverse();
  const columns = [
    { title: "From", cell: (span) => day(span.from) },
    { title: "Calls", class: "number", cell: (span) => String(span.calls) },
    ...OUTCOMES.map(([kind, text]) => ({ title: text, class: "number", cell: (span) => shareText(span.outcomes[kind] / span.calls) })),
    sees && { title: "Median ratio", class: "number", cell: (span) => span.ratios?.[2].toFixed(1) ?? "–" },
    sees && { title: "Middle 90 %", class: "number", cell: (span) => (span.ratios ? `${span.ratios[0].toFixed(1)} to ${span.ratios[4].toFixed(1)}` : "–") },
  ].filter(Boolean);
  return h("details", {}, h("summary", {}, "As a table"), table(columns, spans, { caption: "Calls over time, the latest first" }));
}
