// A call on the line, as a card that changes while the verdict forms.

import { get } from "./api.js";
import { badge, coded, h, may } from "./dom.js";
import { Colours, answers, course, hidesScores, lamps, posteriorBars, remarks } from "./verdict.js";
import { phone, seconds } from "./words.js";

/** Looks that are kept of a call: enough for what is shown. */
const MOST_LOOKS = 200;

export class LiveCard {
  constructor(id, number, startedAt, known, session) {
    this.id = id;
    this.known = known;
    this.session = session;
    this.startedAt = startedAt ? new Date(startedAt) : new Date();
    this.versions = [];
    this.isOver = false;
    this.colours = new Colours();
    this.lamps = lamps();
    this.state = h("span", {});
    this.clock = h("span", { class: "number soft" });
    this.body = h("div", { class: "forming" });
    this.bars = h("div", { class: "shares" });
    const of = known.numbers.find((known) => known.number === number);
    this.element = h(
      "article",
      { class: "card live-call", "data-call": id, "aria-label": `Call to ${phone(number)}` },
      h("header", {}, h("h2", {}, phone(number)), h("span", { class: "actions" }, this.clock, this.state)),
      of?.name && h("p", { class: "soft name" }, of.name),
      this.body,
      this.lamps.element,
      this.bars,
      h("p", {}, h("a", { href: `/console/calls/${encodeURIComponent(id)}` }, "Everything about this call")),
    );
    this.tick();
  }

  /** Takes a version; says whether it says something new. */
  take(version) {
    if (this.versions.some((had) => had.version === version.version)) return false;
    const isLatest = this.versions.every((had) => had.version < version.version);
    this.versions.push(version);
    this.versions.sort((one, other) => one.version - other.version);
    this.versions = this.versions.slice(-MOST_LOOKS);
    this.draw();
    return isLatest;
  }

  /** Asks for what was said before. */
  async catchUp() {
    const path = `/v1/calls/${encodeURIComponent(this.id)}`;
    const [call, versions] = await Promise.all([get(path), get(`${path}/verdicts`)]).catch(() => [null, []]);
    if (call) this.startedAt = new Date(call.started_at);
    for (const version of versions) this.take(version);
  }

  tick() {
    if (this.isOver) return;
    const passed = Math.max(0, Math.floor((Date.now() - this.startedAt) / 1000));
    this.clock.textContent = `${Math.floor(passed / 60)}:${String(passed % 60).padStart(2, "0")}`;
    this.clock.title = "Time since the call began";
    setTimeout(() => this.element.isConnected && this.tick(), 1000);
  }

  draw() {
    const { verdict } = this.versions.at(-1);
    this.isOver = verdict.final === true;
    this.element.dataset.speaker = verdict.speaker.status;
    this.element.dataset.version = String(this.versions.at(-1).version);
    this.state.replaceChildren(this.isOver ? badge("over") : badge(`${seconds(verdict.net_speech_seconds)} of speech`, "live"));
    this.body.replaceChildren(answers(verdict, this.known), remarks(verdict));
    this.lamps.light(verdict.evidence ?? []);
    if (!may(this.session, "scores")) {
      const hint = "How likely each user is, keys with the scope `scores` see.";
      this.bars.replaceChildren(hidesScores(verdict) ? h("p", { class: "small" }, coded(hint)) : "");
      return;
    }
    this.bars.replaceChildren(posteriorBars(verdict, this.known, this.colours, 3), course(this.versions, this.known, this.colours));
  }
}
