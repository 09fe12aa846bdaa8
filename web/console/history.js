// The calls that were, with search. What is looked for stands in the page's address.

import { get } from "./api.js";
import { badge, button, empty, h, may, problem, progress, table, when } from "./dom.js";
import { nameOf } from "./directory.js";
import { OWNER, SPEAKER, asRead, phone, reason, seconds } from "./words.js";

/** Calls on a page. */
const PAGE = 25;

/** What can be looked for, as the page's address names it. */
const NAMES = ["number", "user", "speaker", "from", "until"];

const ID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;

/** Why nobody can be looked for by what stands in the field, and what to do. */
const NOBODY = ["Nobody of that name", "Choose one of the names that the field offers, or give a person’s whole id."];
const SEVERAL = ["Several people have that name", "Choose one of those that the field offers: there the end of the id tells them apart."];

/** Midnight at the beginning of a day of the calendar here, `later` days on. */
function midnight(day, later = 0) {
  const [year, month, date] = day.split("-").map(Number);
  return new Date(year, month - 1, date + later).toISOString();
}

/** The address of a page of calls that are as `wanted`, by {@link NAMES}. */
function query(wanted, before = null) {
  const params = new URLSearchParams({ limit: String(PAGE) });
  for (const name of ["number", "user", "speaker"]) if (wanted[name]) params.set(name, wanted[name]);
  if (wanted.from) params.set("from", midnight(wanted.from));
  if (wanted.until) params.set("until", midnight(wanted.until, 1));
  if (before) params.set("before", before);
  return `/v1/calls?${params}`;
}

/** The calls that the page's address asks for: asked for at once, while numbers and users are still on their way. */
export function firstCalls() {
  return get(query(Object.fromEntries(new URLSearchParams(location.search))));
}

/** `{element, refresh, take, name}`: the part of the page, and ways to look again, to show what {@link firstCalls} gave, and to name users who are known by now. */
export function history(session, known) {
  const asked = new URLSearchParams(location.search);
  const fields = searchFields(session, known, asked);
  const results = h("div", { id: "history" });
  /** What was last looked for, whatever has been typed since. */
  let sought = fields.read();
  let shown = [];
  let isWhole = true;

  const clear = () => button("Show all calls", () => (fields.clear(), fields.focus(), search()));
  const draw = () => {
    if (shown.length === 0) {
      const isSearch = NAMES.some((name) => sought[name]);
      results.replaceChildren(
        isSearch
          ? empty("No such call", "Of the calls that were recorded none is like that.", clear())
          : empty("No calls yet", "Calls stay here when they are over, with every version of the verdict and what it rested on.", h("a", { class: "button", href: "/console/setup" }, "Set up the first call")),
      );
      return;
    }
    const more = button("Earlier calls", () => page(shown.at(-1).call_id));
    results.replaceChildren(calls(shown, known), isWhole ? "" : h("p", { class: "actions more" }, more));
  };
  const take = (found, isLast = found.length < PAGE) => {
    [shown, isWhole] = [found, isLast];
    draw();
  };
  const name = () => {
    fields.name();
    draw();
  };
  /** Asks for a page, and `use`s it unless something else was looked for meanwhile. */
  const ask = async (before, use) => {
    const wanted = sought;
    if (wanted.unclear) return;
    try {
      const found = await progress(get(query(wanted, before)), results);
      if (wanted === sought) use(found);
    } catch (error) {
      if (wanted === sought) results.replaceChildren(problem(error));
    }
  };
  const page = (before) =>
    ask(before, (found) => {
      if (shown.at(-1)?.call_id === before) take([...shown, ...found], found.length < PAGE);
    });
  /** New calls come in front; what was read beyond the first page stays. */
  const refresh = () =>
    ask(null, (found) => {
      const last = found.length < PAGE ? -1 : shown.findIndex((call) => call.call_id === found.at(-1).call_id);
      if (last < 0) take(found);
      else take([...found, ...shown.slice(last + 1)], isWhole);
    });
  const search = async () => {
    await progress(known.named.catch(() => {}), results);
    sought = fields.read();
    if (sought.unclear) {
      results.replaceChildren(empty(...sought.unclear, clear()));
      return;
    }
    const wanted = NAMES.filter((name) => sought[name]).map((name) => [name, sought[name]]);
    const text = new URLSearchParams(wanted).toString();
    globalThis.history.replaceState(null, "", text ? `?${text}` : location.pathname);
    await ask(null, take);
  };
  fields.element.addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  const element = h("section", { "aria-labelledby": "history-title" }, h("h2", { id: "history-title" }, "History"), fields.element, results);
  return { element, refresh, take, name };
}

function field(label, control) {
  return h("p", { class: "field" }, h("label", { for: control.id }, label), control);
}

function searchFields(session, known, asked) {
  const option = (value, text, name) => h("option", { value, selected: asked.get(name) === value }, text);
  const number = may(session, "enroll")
    ? h("select", { id: "number" }, h("option", { value: "" }, "Any"), known.numbers.map((one) => option(one.number, one.name ? `${one.name} · ${phone(one.number)}` : phone(one.number), "number")))
    : h("input", { id: "number", type: "tel", placeholder: "+1…", value: asked.get("number") });
  const users = h("datalist", { id: "users" });
  const user = h("input", { id: "user", type: "search", list: "users", autocomplete: "off", placeholder: "Anybody", value: asked.get("user") });
  const byName = new Map();
  /** A person's name as the field has it: with the end of the id where others have it too. */
  const named = (one) => (byName.get(asRead(one.name)).length > 1 ? `${one.name} · …${one.id.slice(-6)}` : one.name);
  const name = () => {
    byName.clear();
    for (const one of known.users.values()) byName.set(asRead(one.name), [...(byName.get(asRead(one.name)) ?? []), one]);
    users.replaceChildren(...[...known.users.values()].map((one) => h("option", { value: named(one) })));
    const one = known.users.get(user.value);
    if (one) user.value = named(one);
  };
  name();
  const speaker = h("select", { id: "speaker" }, h("option", { value: "" }, "Anything"), Object.entries(SPEAKER).map(([code, [words]]) => option(code, words, "speaker")));
  const from = h("input", { id: "from", type: "date", value: asked.get("from") });
  const until = h("input", { id: "until", type: "date", value: asked.get("until") });
  const element = h(
    "form",
    { class: "filters", role: "search", "aria-label": "Calls" },
    field("Number", number),
    field("Person", user),
    field("Speaker", speaker),
    field("From", from),
    field("Until", until),
    h("p", { class: "actions" }, h("button", { type: "submit" }, "Search")),
    users,
  );
  /** The id of whom the field means, or why it means nobody. */
  const whom = () => {
    const typed = user.value.trim();
    if (typed === "" || ID.test(typed)) return { user: typed };
    const all = byName.get(asRead(typed)) ?? [...known.users.values()].filter((one) => named(one) === typed);
    if (all.length === 1) return { user: all[0].id };
    return { user: "", unclear: all.length > 1 ? SEVERAL : NOBODY };
  };
  const read = () => ({ number: number.value.trim(), ...whom(), speaker: speaker.value, from: from.value, until: until.value });
  return { element, read, name, focus: () => number.focus(), clear: () => [number, user, speaker, from, until].forEach((one) => (one.value = "")) };
}

function calls(list, known) {
  // Of a call whose verdict cannot be read there is nothing to say.
  const who = (said) => (said?.user_id ? h("span", { class: "who" }, nameOf(known, said.user_id, said.user_name)) : null);
  const words = (said, table) => badge(...(table[said?.status] ?? [said?.status ?? "not readable", null]));
  return table(
    [
      { title: "Began", cell: (call) => h("a", { href: `/console/calls/${encodeURIComponent(call.call_id)}` }, when(call.started_at)) },
      { title: "Number", cell: (call) => h("span", { class: "number" }, phone(call.number)) },
      { title: "Line of", cell: ({ verdict: { line_owner: owner } }) => h("span", { class: "with-badge" }, who(owner), words(owner, OWNER)) },
      {
        title: "Speaking",
        cell: ({ verdict }) => h("span", { class: "with-badge" }, who(verdict.speaker), words(verdict.speaker, SPEAKER), h("span", { class: "soft" }, reason(verdict)?.[0] ?? "")),
      },
      { title: "Speech", class: "end", cell: (call) => h("span", { class: "number" }, seconds(call.verdict.net_speech_seconds)) },
    ],
    list,
    { caption: "Calls, newest first", key: (call) => call.call_id },
  );
}
