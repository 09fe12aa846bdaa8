// People in lists and in words: how well they are enrolled, and what that means.

import { badge, h, note, table } from "../dom.js";
import { phone } from "../words.js";

/** What a state of an enrolment is called, and how it looks. */
const STATES = {
  good: ["Good", "good"],
  advised: ["Could be better", "warn"],
  enrol_again: ["Enrol again", "bad"],
  not_enrolled: ["Not enrolled", null],
};

/** The state of somebody's enrolment, as a word. */
export function healthBadge(person) {
  const [text, kind] = STATES[person.state] ?? [person.state, null];
  return badge(text, kind);
}

/** How long ago something was, in the largest unit that fits. */
export function age(instant) {
  const days = (Date.now() - new Date(instant).getTime()) / 86_400_000;
  const form = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
  if (days < 1) return "today";
  if (days < 45) return form.format(-Math.round(days), "day");
  if (days < 600) return form.format(-Math.round(days / 30.4), "month");
  return form.format(-Math.round(days / 365.25), "year");
}

/** Seconds of speech, as they are said. */
export function seconds(value) {
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} s`;
}

export function personLink(person) {
  return h("a", { href: `/console/people/${person.id}` }, person.name);
}

export function numberLink(number) {
  return h("a", { class: "number", href: `/console/numbers/${encodeURIComponent(number)}` }, phone(number));
}

/** Texts or elements with commas between them; a dash for none. */
export function listed(items) {
  if (items.length === 0) return "–";
  return items.flatMap((item, nth) => (nth === 0 ? [item] : [", ", item]));
}

/** People as rows, each with what stands against their enrolment. */
export function peopleTable(people, caption, { withNumbers = true } = {}) {
  const voice = (person) =>
    person.enrolled_at === null
      ? "–"
      : h("span", {}, `${seconds(person.net_speech_seconds)}, `, h("time", { datetime: person.enrolled_at }, age(person.enrolled_at)));
  const remark = (person) => {
    const [first, ...others] = person.remarks;
    if (!first) return h("span", { class: "soft" }, "Nothing stands against it.");
    const more = others.length > 0 ? ` And ${others.length} more.` : "";
    return h("span", {}, `${first.message.charAt(0).toUpperCase()}${first.message.slice(1)}.${more}`);
  };
  return table(
    [
      { title: "Name", cell: personLink },
      withNumbers && { title: "Numbers", cell: (person) => h("span", {}, listed(person.numbers.map(numberLink))) },
      { title: "Voice", cell: voice, class: "number" },
      { title: "Enrolment", cell: (person) => h("span", {}, healthBadge(person), person.open_invites > 0 && [" ", badge("Invited")]) },
      { title: "What to do", cell: remark },
    ].filter(Boolean),
    people,
    { caption, key: (person) => person.id },
  );
}

/** Offers a text as a file to keep. */
export function save(name, text, type = "application/json") {
  const url = URL.createObjectURL(new Blob([text], { type }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** What is not shown, and which key would show it. */
export function hidden(what, scope) {
  return note(`${what} is hidden: the key of this session lacks the scope \`${scope}\`. Log in with one that has it to see this.`);
}
