// Everything about one call: what is said of it, how that came about, and what every version rested on.

import { events, get } from "../api.js";
import { badge, h, heading, may, note, progress, when } from "../dom.js";
import { axis, chart, colour } from "../chart.js";
import { directory, nameOf } from "../directory.js";
import { Colours, answers, evidenceTable, lamps, posteriorBars, remarks, shares } from "../verdict.js";
import { inShort, phone, seconds } from "../words.js";

export async function show(root, { params, session }) {
  const path = `/v1/calls/${encodeURIComponent(params.id)}`;
  const load = () => Promise.all([get(path), get(`${path}/verdicts`)]);
  const [known, [call, versions]] = await progress(Promise.all([directory(session), load()]), root);
  const page = new CallPage(root, session, known);
  page.draw(call, versions);
  if (call.final) return;
  let isLoading = false;
  let isStale = false;
  const again = async () => {
    isStale = true;
    if (isLoading) return;
    isLoading = true;
    try {
      while (isStale) {
        isStale = false;
        page.draw(...(await load()));
      }
    } finally {
      isLoading = false;
    }
  };
  const take = (name, told) => {
    if (name === "update" && told.call_id !== call.call_id) return;
    // Only what says something new is recorded; the checkpoints between are seen by whoever watches.
    if (name === "update") page.checkpoints.set(told.version, { version: told.version, at: new Date().toISOString(), verdict: told });
    again();
  };
  events("/v1/calls/events", take, {
    onState: (state) => state === "open" && again(),
  });
}

class CallPage {
  constructor(root, session, known) {
    this.known = known;
    this.session = session;
    this.colours = new Colours();
    this.lamps = lamps();
    this.plot = null;
    this.checkpoints = new Map();
    this.chart = h("div", { class: "chart" });
    this.legend = h("ul", { class: "legend" });
    this.parts = Object.fromEntries(["top", "now", "evidence", "versions"].map((name) => [name, h("div", { class: `call-${name}` })]));
    const { top, now, evidence, versions } = this.parts;
    const scores = may(session, "scores")
      ? h("section", { class: "card", "aria-labelledby": "course-title" }, h("h2", { id: "course-title" }, "How it came about, by the voice alone"), this.chart, this.legend)
      : note("How likely each user was, keys with the scope `scores` see.");
    root.replaceChildren(
      top,
      h("div", { class: "two" }, h("section", { class: "card", "aria-labelledby": "now-title" }, h("h2", { id: "now-title" }, "What is said"), now), scores),
      h("section", { "aria-labelledby": "evidence-title" }, h("h2", { id: "evidence-title" }, "Evidence"), evidence),
      h("section", { "aria-labelledby": "versions-title" }, h("h2", { id: "versions-title" }, "Every version"), h("p", { class: "soft" }, "Each that said something new, the latest first, with what it rested on."), versions),
    );
  }

  draw(call, versions) {
    const { verdict } = call;
    document.title = `Call to ${phone(call.number)} · Voxline`;
    const state = call.final ? badge("over") : badge("on the line", "live");
    const lead = h("span", {}, "Began ", when(call.started_at), ` · ${seconds(verdict.net_speech_seconds)} of speech · `, h("code", {}, call.call_id));
    this.parts.top.replaceChildren(h("p", { class: "back" }, h("a", { href: "/console/calls" }, "All calls")), heading(`Call to ${phone(call.number)}`, lead, state));
    this.parts.now.replaceChildren(
      answers(verdict, this.known),
      remarks(verdict),
      may(this.session, "scores") ? posteriorBars(verdict, this.known, this.colours, 5) : "",
      this.lamps.element,
      facts(verdict),
    );
    this.lamps.light(verdict.evidence ?? []);
    this.parts.evidence.replaceChildren(evidenceTable(verdict, this.known));
    this.versions(versions);
    if (may(this.session, "scores")) this.course(versions);
  }

  versions(versions) {
    const opened = new Set([...this.parts.versions.querySelectorAll("details[open]")].map((one) => one.dataset.version));
    const one = ({ version, at, verdict }) =>
      h(
        "li",
        {},
        h(
          "details",
          { "data-version": version, open: opened.has(String(version)) },
          h("summary", {}, h("span", { class: "number soft" }, `${version}`), h("span", { class: "what" }, inShort(verdict)), h("span", { class: "number soft" }, seconds(verdict.net_speech_seconds)), h("span", { class: "number soft" }, when(at))),
          h("div", { class: "version" }, answers(verdict, this.known), remarks(verdict), evidenceTable(verdict, this.known)),
        ),
      );
    this.parts.versions.replaceChildren(h("ol", { class: "versions" }, versions.toReversed().map(one)));
  }

  /** Posteriors over net speech, a step at every checkpoint. */
  course(versions) {
    for (const version of versions) this.checkpoints.set(version.version, version);
    const all = [...this.checkpoints.values()].sort((one, other) => one.version - other.version);
    const checkpoints = all.filter(({ verdict }) => verdict.candidates?.length > 0);
    if (checkpoints.length === 0) {
      this.chart.replaceChildren(h("p", { class: "soft" }, "Nobody spoke long enough to be compared with anybody."));
      this.plot = null;
      return;
    }
    const users = [...new Set(checkpoints.toReversed().flatMap(({ verdict }) => shares(verdict).named.slice(0, 3).map(({ id }) => id)))].slice(0, 5);
    const share = (id) => checkpoints.map(({ verdict }) => shares(verdict).named.find((one) => one.id === id)?.share ?? null);
    const data = [checkpoints.map(({ verdict }) => verdict.net_speech_seconds), ...users.map(share), checkpoints.map(({ verdict }) => shares(verdict).rest)];
    const shownUsers = users.join();
    this.legend.replaceChildren(
      ...users.map((id) => h("li", { style: { "--colour": this.colours.css(id) } }, h("span", { class: "swatch" }), nameOf(this.known, id))),
      h("li", { style: { "--colour": "var(--rest)" } }, h("span", { class: "swatch" }), "Somebody else"),
    );
    if (this.plot?.users === shownUsers) return this.plot.set(data);
    const options = (uPlot) => this.options(uPlot, users);
    this.chart.replaceChildren();
    this.plot = { users: shownUsers, set: () => {} };
    chart(this.chart, "Posterior of each user over seconds of speech; the versions below say the same in words", options, data).then((plot) => {
      this.plot.set = (next) => plot.set(next);
    });
  }

  options(uPlot, users) {
    const line = (stroke) => ({ stroke, width: 2, paths: uPlot.paths.stepped({ align: 1 }), points: { show: true, size: 6, fill: stroke } });
    const strokes = users.map((id) => colour(`--series-${this.colours.of(id) ?? 6}`));
    return {
      scales: { x: { time: false }, y: { range: [-0.02, 1.02] } },
      legend: { show: false },
      cursor: { show: false },
      axes: [
        axis({ size: 34, label: "seconds of speech", labelSize: 18, labelFont: "12px system-ui, sans-serif" }),
        axis({ size: 56, splits: [0, 0.25, 0.5, 0.75, 1], values: (_, shares) => shares.map((share) => `${share * 100} %`) }),
      ],
      series: [{}, ...strokes.map(line), line(colour("--rest"))],
    };
  }
}

/** How the audio was, and by what it was judged. */
function facts(verdict) {
  const { quality } = verdict;
  const fact = (name, value) => value !== null && value !== undefined && [h("dt", {}, name), h("dd", {}, value)];
  return h(
    "dl",
    { class: "facts small" },
    fact("Speech over noise", quality?.snr_db !== null && quality?.snr_db !== undefined ? `${quality.snr_db.toFixed(0)} dB` : null),
    fact("Band", quality ? (quality.bandwidth === "narrow" ? "narrow (telephone)" : "wide") : null),
    fact("Cut off", quality && quality.clipping > 0.001 ? `${(quality.clipping * 100).toFixed(1)} % of samples` : null),
    fact("Several voices", quality?.overlap ? "yes" : null),
    fact("Model", verdict.model),
  );
}
