// The operating-point picker: what a promise to strangers costs people on the roster, on calls that were measured.

import { axis, chart, colour } from "../chart.js";
import { badge, h } from "../dom.js";

/** A share as it is said: two figures, and small ones not as nought. */
export function shareText(share) {
  if (share === null || share === undefined) return "–";
  const percent = share * 100;
  if (percent === 0 || percent === 100) return `${percent} %`;
  return `${percent < 0.1 ? percent.toPrecision(1) : percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
}

/** A promise as people say it. */
export function oneIn(share) {
  return share >= 0.01 ? `${Number((share * 100).toPrecision(2))} in 100` : `${Number((share * 10_000).toPrecision(2))} in 10 000`;
}

function between(rate) {
  return rate.ci95 ? `${shareText(rate.ci95[0])} to ${shareText(rate.ci95[1])}` : "no interval";
}

/** What the service does at the moment, where it is one of the points. */
function nearest(picks, accept) {
  const distance = (pick) => Math.abs(Math.log((1 - pick.accept) / (1 - accept)));
  return picks.reduce((best, pick, at) => (distance(pick) < distance(picks[best]) ? at : best), 0);
}

/**
 * The picker of a report. `now` is what calls are decided by: `{accept, max_false_accept}`. Gives its element, and `draw()` for
 * when it stands in the page.
 */
export function picker(picks, now) {
  const start = nearest(picks, now.accept);
  const slider = h("input", { type: "range", id: "promise", min: 0, max: picks.length - 1, step: 1, value: start });
  const said = h("output", { for: "promise", class: "promise", id: "promised" });
  const state = h("p", {});
  const figures = h("div", { class: "figures", id: "figures" });
  const setting = h("div", { class: "form" });
  const curve = h("div", { class: "chart" });
  let plot = null;

  const select = () => {
    const at = Number(slider.value);
    const pick = picks[at];
    const promised = oneIn(pick.max_false_accept);
    slider.setAttribute("aria-valuetext", `at most ${promised} strangers given a name`);
    said.textContent = promised;
    const isNow = now.max_false_accept !== null ? pick.max_false_accept === now.max_false_accept : at === start;
    state.replaceChildren(
      ...(isNow
        ? [badge(now.max_false_accept === null ? "Nearest to how calls are decided now" : "How calls are decided now", "good")]
        : []),
      h("span", { class: "soft" }, ` A name needs a probability of ${pick.accept.toFixed(4)}.`),
    );
    figures.replaceChildren(...drawn(pick));
    setting.replaceChildren(...settings(pick));
    plot?.set(data(picks, at));
  };
  slider.addEventListener("input", select);
  const root = h(
    "section",
    { class: "card", "aria-labelledby": "picker-heading", id: "picker" },
    h("header", {}, h("h2", { id: "picker-heading" }, "Operating point")),
    h("p", { class: "soft" }, "Drag the share of strangers who may be given a name, and see what it costs. The figures are counted on this report's calls, each followed as a live one; in brackets the 95 % interval over callers."),
    h(
      "div",
      { class: "field" },
      h("label", { for: "promise" }, "Of callers on no roster, a name may be given to at most"),
      said,
      slider,
      h("div", { class: "ends small", "aria-hidden": "true" }, h("span", {}, `${oneIn(picks[0].max_false_accept)}: more names`), h("span", {}, `${oneIn(picks.at(-1).max_false_accept)}: fewer errors`)),
    ),
    state,
    figures,
    curve,
    h(
      "ul",
      { class: "legend" },
      h("li", {}, h("span", { class: "swatch", style: { "--colour": "var(--series-1)" } }), "People given their own name"),
      h("li", {}, h("span", { class: "swatch", style: { "--colour": "var(--series-2)" } }), "Strangers given a name"),
    ),
    setting,
  );
  select();
  const draw = async () => {
    plot = await chart(
      curve,
      "People given their own name, and strangers given a name, at each promise; the same figures stand above at each point of the slider",
      () => options([picks.at(-1).max_false_accept, picks[0].max_false_accept]),
      data(picks, Number(slider.value)),
      240,
    );
  };
  return { root, draw };
}

function figure(id, title, rate, kind, of) {
  const note = of > 0 ? `(${between(rate)})` : "none were measured";
  return h(
    "div",
    { class: "figure", id, "data-share": rate.share ?? "" },
    h("span", { class: "name" }, title),
    h("strong", {}, shareText(rate.share)),
    h("span", { class: "small" }, note),
    h("span", { class: kind ? `bar ${kind}` : "bar", "aria-hidden": "true", style: { "--share": (rate.share ?? 0).toFixed(4) } }, h("span", {})),
  );
}

function drawn(pick) {
  const total = (ends) => ends.right_name + ends.wrong_name + ends.unknown + ends.inconclusive;
  const [known, strangers] = [total(pick.enrolled), total(pick.others)];
  return [
    h("h3", {}, `${known} calls by people on the roster`),
    figure("right", "Their own name", pick.right_name, null, known),
    figure("inconclusive", "Inconclusive", pick.inconclusive, "warn", known),
    figure("unknown", "Called unknown", pick.unknown, "warn", known),
    figure("wrong", "Another's name", pick.wrong_name, "bad", known),
    h("h3", {}, `${strangers} calls by strangers`),
    figure("strangers", "Given a name", pick.stranger_named, "bad", strangers),
  ];
}

function settings(pick) {
  const value = String(pick.max_false_accept);
  return [
    h("p", { class: "small" }, "To decide by this, where your own calls bear it out: for all numbers in ", h("code", {}, "voxline.toml"), ", or for one of them."),
    h("pre", { role: "group", tabindex: "0", "aria-label": "Setting for all numbers" }, h("code", {}, `[decision]\nmax_false_accept = ${value}`)),
    h("pre", { role: "group", tabindex: "0", "aria-label": "Command for one number" }, h("code", {}, `voxline number set NUMBER --max-false-accept ${value}`)),
  ];
}

/** Rising promises, the two rates with their intervals, and the point that is picked. */
function data(picks, at) {
  const rising = [...picks].reverse();
  const chosen = rising.length - 1 - at;
  const column = (rate, of) => rising.map((pick) => of(pick[rate]));
  const rates = ["right_name", "stranger_named"].flatMap((rate) => [
    column(rate, (one) => one.share),
    column(rate, (one) => one.ci95?.[0] ?? null),
    column(rate, (one) => one.ci95?.[1] ?? null),
  ]);
  const mark = (rate) => rising.map((pick, nth) => (nth === chosen ? pick[rate].share : null));
  return [rising.map((pick) => pick.max_false_accept), ...rates, mark("right_name"), mark("stranger_named")];
}

function options(ends) {
  const [right, strangers] = [colour("--series-1"), colour("--series-2")];
  const line = (stroke) => ({ stroke, width: 2, points: { show: false } });
  const edge = { stroke: "transparent", width: 0, points: { show: false } };
  const dot = (stroke) => ({ stroke, width: 0, points: { show: true, size: 11, fill: stroke, stroke } });
  return {
    legend: { show: false },
    cursor: { show: false },
    // As the slider runs: to the right are fewer errors.
    scales: { x: { time: false, distr: 3, dir: -1, range: ends }, y: { range: [0, 1] } },
    axes: [
      axis({ values: (plot, values) => values.map((value) => (value === null ? "" : shareText(value))), label: "Strangers who may be given a name", labelSize: 22, labelFont: "12px system-ui, sans-serif" }),
      axis({ values: (plot, values) => values.map((value) => `${Math.round(value * 100)} %`), size: 56 }),
    ],
    series: [{}, line(right), edge, edge, line(strangers), edge, edge, dot(right), dot(strangers)],
    bands: [
      { series: [3, 2], fill: `${right}22` },
      { series: [6, 5], fill: `${strangers}22` },
    ],
  };
}
