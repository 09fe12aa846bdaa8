// A verdict and its parts, as the live page and a call's own page show them.

import { badge, bar, h, percent, table, when } from "./dom.js";
import { nameOf } from "./directory.js";
import { KINDS, OWNER, SPEAKER, TIERS, agreement, reason, seconds } from "./words.js";

/** Users with a colour of their own. */
const MOST_COLOURS = 5;

function answer(title, said, [words, kind], known) {
  const name = said.user_id ? nameOf(known, said.user_id, said.user_name) : null;
  return h(
    "div",
    { class: "answer" },
    h("dt", {}, title),
    h("dd", {}, h("span", { class: "who" }, name ?? "–"), badge(words, kind), (said.posterior ?? null) !== null && h("span", { class: "number soft", title: "By all evidence, among all on the roster" }, percent(said.posterior))),
  );
}

/** Whose line and whose voice, apart. */
export function answers(verdict, known) {
  // Of a call whose verdict cannot be read there is nothing to say.
  const { line_owner: owner = {}, speaker = {} } = verdict;
  return h(
    "dl",
    { class: "answers" },
    answer("Line of", owner, OWNER[owner.status] ?? [owner.status ?? "not readable", null], known),
    answer("Speaking", speaker, SPEAKER[speaker.status] ?? [speaker.status ?? "not readable", null], known),
  );
}

/** Whether they are one, why it cannot be said, and what does not fit together. */
export function remarks(verdict) {
  const why = reason(verdict);
  return h(
    "div",
    { class: "remarks" },
    h("p", { class: "agreement" }, agreement(verdict)),
    why && h("p", {}, h("strong", {}, `${why[0]}. `), h("span", { class: "soft" }, why[1])),
    (verdict.contradictions ?? []).map((one) => h("p", { class: "note warn", "data-code": one.code }, `Does not fit: ${one.message}.`)),
  );
}

/** The six tiers of evidence: those that there is evidence of are lit. Gives the element and a way to light more. */
export function lamps() {
  const items = new Map(
    Object.entries(TIERS).map(([tier, [short, long]]) => {
      const state = h("span", { class: "unseen" }, "none");
      return [tier, { state, element: h("li", { "data-tier": tier, title: long }, short, state) }];
    }),
  );
  const element = h("ul", { class: "lamps", "aria-label": "Evidence" }, [...items.values()].map((item) => item.element));
  const light = (evidence) => {
    for (const [tier, { state, element: lamp }] of items) {
      const found = evidence.filter((item) => item.tier === tier);
      const names = found.filter((item) => item.user_id);
      lamp.dataset.lit = found.length === 0 ? "no" : names.length > 0 ? "yes" : "idle";
      state.textContent = found.length === 0 ? ": none" : names.length > 0 ? ": found" : ": found, of nobody here";
      lamp.title = found.length === 0 ? TIERS[tier][1] : found.map((item) => `${KINDS[item.kind] ?? item.kind}${item.note ? `: ${item.note}` : ""}`).join("\n");
    }
  };
  light([]);
  return { element, light };
}

/** All evidence of a version as a table. */
export function evidenceTable(verdict, known) {
  const items = verdict.evidence ?? [];
  if (items.length === 0) return h("p", { class: "soft" }, "There was no evidence yet.");
  const strength = (item) => {
    if (item.llr === null || item.llr === undefined) return "–";
    return `${item.llr >= 0 ? "+" : "−"}${Math.abs(item.llr).toFixed(1)}`;
  };
  return table(
    [
      { title: "Evidence", cell: (item) => h("span", {}, h("span", { class: "soft" }, `${item.tier} `), KINDS[item.kind] ?? item.kind) },
      { title: "Points to", cell: (item) => (item.user_id ? nameOf(known, item.user_id) : "nobody here") },
      { title: "Log ratio", class: "end", cell: (item) => h("span", { class: "number" }, strength(item)) },
      { title: "From", cell: (item) => item.source },
      { title: "Seen", cell: (item) => when(item.at) },
      { title: "Note", cell: (item) => h("span", { class: "soft" }, item.note ?? "") },
    ],
    items,
    { caption: "Evidence" },
  );
}

/** Which user has which colour: in the order in which they came near. */
export class Colours {
  constructor() {
    this.users = new Map();
  }

  /** The number of a user's colour, 1 to 5; null when all are taken. */
  of(id) {
    if (!this.users.has(id) && this.users.size < MOST_COLOURS) this.users.set(id, this.users.size + 1);
    return this.users.get(id) ?? null;
  }

  css(id) {
    const nth = this.of(id);
    return nth === null ? "var(--series-6)" : `var(--series-${nth})`;
  }
}

/** How likely each is at a checkpoint: `[{id, share}]`, the likeliest first, and what is left for everybody else. */
export function shares(verdict) {
  const named = (verdict.candidates ?? []).map(({ user_id: id, posterior }) => ({ id, share: posterior }));
  const rest = Math.max(0, 1 - named.reduce((sum, { share }) => sum + share, 0));
  return { named, rest };
}

/** Whether scores are hidden from this key, though there would be some. */
export function hidesScores(verdict) {
  return (verdict.candidates ?? []).length === 0 && verdict.net_speech_seconds > 0;
}

/** Bars of the posteriors now: who is how likely by the voice, whatever else points to somebody. */
export function posteriorBars(verdict, known, colours, most = 4) {
  const { named, rest } = shares(verdict);
  const row = (name, share, colour) =>
    h("li", { style: { "--colour": colour } }, h("span", { class: "who" }, name), bar(share, name), h("span", { class: "number" }, percent(share)));
  if (named.length === 0) return "";
  return h(
    "div",
    { class: "by-voice" },
    h("p", { class: "small" }, "By the voice alone, among those enrolled"),
    h(
      "ul",
      { class: "posteriors", "aria-label": "How likely each is, by the voice alone, among those enrolled" },
      named.slice(0, most).map(({ id, share }) => row(nameOf(known, id), share, colours.css(id))),
      row("Somebody else", rest, "var(--rest)"),
    ),
  );
}

/** One look at a call as a column of shares. */
function column(version, known, colours) {
  const verdict = version.verdict;
  const { named, rest } = shares(verdict);
  const spoken = seconds(verdict.net_speech_seconds);
  const words = named.length === 0 ? "nothing to compare yet" : `${nameOf(known, named[0].id)} ${percent(named[0].share)}`;
  const piece = (share, colour) => h("span", { style: { "flex-grow": share.toFixed(4), "--colour": colour } });
  return h(
    "li",
    { title: `${spoken}: ${words}` },
    h("span", { class: "checkpoint", "aria-hidden": "true" }, named.length > 0 && [piece(rest, "var(--rest)"), named.toReversed().map(({ id, share }) => piece(share, colours.css(id)))]),
    h("span", { class: "at number", "aria-hidden": "true" }, verdict.net_speech_seconds.toFixed(verdict.net_speech_seconds < 10 ? 1 : 0)),
    h("span", { class: "unseen" }, `After ${spoken} of speech: ${words}`),
  );
}

/** The verdict as it formed: a column for each checkpoint, over net speech. `versions` are oldest first. */
export function course(versions, known, colours, most = 24) {
  // Versions of the same checkpoint differ by other evidence; the last of them counts.
  const checkpoints = versions.filter((version, nth) => versions[nth + 1]?.verdict.net_speech_seconds !== version.verdict.net_speech_seconds);
  // Where nobody was compared with anybody yet there is nothing to see.
  if (checkpoints.every(({ verdict }) => shares(verdict).named.length === 0)) return "";
  return h(
    "div",
    { class: "over-speech" },
    h("ol", { class: "course", "aria-label": "The verdict over seconds of speech" }, checkpoints.slice(-most).map((version) => column(version, known, colours))),
    h("p", { class: "small", "aria-hidden": "true" }, "after so many seconds of speech"),
  );
}
