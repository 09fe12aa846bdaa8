// The calls that were, with search. What is looked for stands in the page's address.

import { get } from "./api.js";
import { badge, button, empty, h, may, problem, progress, table, when } from "./dom.js";
import { nameOf } from "./directory.js";
import { OWNER, SPEAKER, phone, reason, seconds } from "./words.js";

/** Calls on a page. */
const PAGE = 25;

/** Midnight at the beginning of a day of the calendar here, `later` days on. */
function midnight(day, later = 0) {
  const [year, month, date] = day.split("-").map(Number);
  return new Date(year, month - 1, date + later).toISOString();
}

/** The address of a page of calls that are as `wanted`: number, user, speaker, from, until. */
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
  let shown = [];
  let isWhole = true;

  const draw = () => {
    if (shown.length === 0) {
      const isSearch = Object.values(fields.read()).some(Boolean);
      const clear = button("Show all calls", () => (fields.clear(), fields.focus(), search()));
      results.replaceChildren(
        isSearch
          ? empty("No such call", "Of the calls that were recorded none is like that.", clear)
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
  const page = async (before = null) => {
    try {
      const found = await progress(get(query(fields.read(), before)), results);
      take(before ? [...shown, ...found] : found, found.length < PAGE);
    } catch (error) {
      results.replaceChildren(problem(error));
    }
  };
  const search = async () => {
    const wanted = Object.entries(fields.read()).filter(([, value]) => value);
    const text = new URLSearchParams(wanted).toString();
    globalThis.history.replaceState(null, "", text ? `?${text}` : location.pathname);
    await page();
  };
  fields.element.addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  const element = h("section", { "aria-labelledby": "history-title" }, h("h2", { id: "history-title" }, "History"), fields.element, results);
  return { element, refresh: () => page(), take, name };
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
  const name = () => {
    users.replaceChildren(...[...known.users.values()].map((one) => h("option", { value: one.name })));
    user.value = known.users.get(user.value)?.name ?? user.value;
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
  const read = () => ({
    number: number.value.trim(),
    user: [...known.users.values()].find((one) => one.name === user.value.trim())?.id ?? user.value.trim(),
    speaker: speaker.value,
    from: from.value,
    until: until.value,
  });
  return { element, read, name, focus: () => number.focus(), clear: () => [number, user, speaker, from, until].forEach((one) => (one.value = "")) };
}

function calls(list, known) {
  const who = (said) => (said.user_id ? h("span", { class: "who" }, nameOf(known, said.user_id, said.user_name)) : null);
  const words = (said, table) => badge(...(table[said.status] ?? [said.status, null]));
  return table(
    [
      { title: "Began", cell: (call) => h("a", { href: `/console/calls/${encodeURIComponent(call.call_id)}` }, when(call.started_at)) },
      { title: "Number", cell: (call) => h("span", { class: "number" }, phone(call.number)) },
      { title: "Line of", cell: ({ verdict: { line_owner: owner } }) => h("span", { class: "pair" }, who(owner), words(owner, OWNER)) },
      {
        title: "Speaking",
        cell: ({ verdict }) => h("span", { class: "pair" }, who(verdict.speaker), words(verdict.speaker, SPEAKER), h("span", { class: "soft" }, reason(verdict)?.[0] ?? "")),
      },
      { title: "Speech", class: "end", cell: (call) => h("span", { class: "number" }, seconds(call.verdict.net_speech_seconds)) },
    ],
    list,
    { caption: "Calls, newest first", key: (call) => call.call_id },
  );
}
