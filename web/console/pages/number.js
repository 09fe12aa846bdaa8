// One number: its roster, what is promised of its calls, and voices on it that are alike.

import { get, send } from "../api.js";
import { announce, badge, button, dialog, empty, h, heading, may, problem, progress, table } from "../dom.js";
import { hidden } from "../parts/people.js";
import { roster } from "../parts/roster.js";
import { phone } from "../words.js";
import { addPerson } from "./people.js";

export async function show(root, { params, session }) {
  if (!may(session, "enroll")) {
    root.replaceChildren(heading(params.number), hidden("Who is on this number", "enroll"));
    return;
  }
  const path = `/v1/numbers/${encodeURIComponent(params.number)}`;
  const number = await progress(get(path), root);
  const add = button("Add a person", () => addPerson([number], number.number), "primary");
  const again = () => button("Add a person", () => add.click(), "primary");
  const people = roster({
    number: () => number.number,
    nobody: () => empty("Nobody is on this number yet", "People are known by voice on the numbers whose roster they are on.", again()),
    withNumbers: false,
  });
  const lead = [number.name, number.region].filter(Boolean).join(" · ") || "What callers dial.";
  root.replaceChildren(
    heading(phone(number.number), lead, add),
    promise(number, path, session, () => show(root, { params, session })),
    h(
      "section",
      { "aria-labelledby": "roster-heading" },
      h("h2", { id: "roster-heading" }, "Roster"),
      h("div", { class: "filters", role: "search" }, people.search),
      people.list,
      people.more,
    ),
    alike(path, session),
  );
  await people.show();
}

function share(value) {
  return value === null ? "as configured" : `at most ${new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 4 }).format(value)}`;
}

function promise(number, path, session, again) {
  const change = async () => {
    const field = (name, label, value) =>
      h(
        "div",
        { class: "field" },
        h("label", { for: name }, label),
        h("input", { type: "number", id: name, name, min: 0.0001, max: 50, step: "any", value: value === null ? null : String(value * 100), placeholder: "As configured" }),
      );
    const body = h(
      "div",
      { class: "form" },
      h("p", {}, "The fewer errors are promised, the more calls stay without a name. What it costs stands under Accuracy."),
      field("max_false_accept", "Callers on no roster who may be given a name (per cent)", number.max_false_accept),
      field("max_wrong_name", "Callers on the roster who may be given another's name (per cent)", number.max_wrong_name),
    );
    const changed = await dialog("What is promised of this number's calls", body, [
      {
        label: "Save",
        kind: "primary",
        act: (form) => {
          const filled = new FormData(form);
          const read = (name) => (filled.get(name) === "" ? null : Number(filled.get(name)) / 100);
          return send("PATCH", path, { max_false_accept: read("max_false_accept"), max_wrong_name: read("max_wrong_name") });
        },
      },
    ]);
    if (changed) await again();
  };
  return h(
    "section",
    { "aria-labelledby": "promise-heading" },
    h(
      "div",
      { class: "heading" },
      h("h2", { id: "promise-heading" }, "Errors that are accepted"),
      h("p", { class: "actions" }, may(session, "admin") && button("Change", change, "small-button")),
    ),
    h(
      "dl",
      { class: "facts" },
      h("dt", {}, "Strangers given a name"),
      h("dd", {}, share(number.max_false_accept)),
      h("dt", {}, "People given another's name"),
      h("dd", {}, share(number.max_wrong_name)),
    ),
  );
}

function alike(path, session) {
  const root = h("section", { "aria-labelledby": "alike-heading" }, h("h2", { id: "alike-heading" }, "Voices that are alike"));
  if (!may(session, "scores")) {
    root.append(hidden("How alike voices are", "scores"));
    return root;
  }
  const list = h("div", { class: "stack" });
  root.append(
    h("p", { class: "soft" }, "Each voice on this number is compared with all others as a call would be: who may be taken for whom, and who may be one person with two entries."),
    list,
  );
  let pairs = [];
  let compared = 0;
  async function compare(after) {
    try {
      const found = await progress(get(`${path}/alike${after ? `?after=${after}` : ""}`), list);
      compared += found.compared;
      pairs = merged(pairs, found.pairs);
      draw(found);
    } catch (error) {
      list.replaceChildren(problem(error), button("Compare again", () => compare(after), "small-button"));
    }
  }
  function draw(found) {
    const whole = found.next === null;
    const so = whole ? `All ${found.enrolled} enrolled voices were compared.` : `${compared} of ${found.enrolled} enrolled voices were compared with all.`;
    const go = !whole && h("p", { class: "actions" }, button("Compare the next ones", () => compare(found.next), "small-button"));
    const left = found.more && h("p", { class: "note" }, "There are more such pairs than are shown: these are the most alike.");
    if (pairs.length === 0) {
      const none = found.enrolled < 2 ? "Fewer than two voices are enrolled here: there is nothing to compare." : `No two voices are alike. ${so}`;
      list.replaceChildren(h("p", { class: "note good" }, none), go || "");
    } else {
      list.replaceChildren(pairTable(pairs), left || "", h("p", { class: "soft" }, so), go || "");
    }
    announce(pairs.length === 1 ? "1 pair of voices is alike" : `${pairs.length} pairs of voices are alike`);
  }
  compare(null);
  return root;
}

/** Pairs of two answers: each pair once, the most alike first. */
function merged(before, found) {
  const all = new Map();
  for (const pair of [...before, ...found]) {
    const key = pair.users.map((user) => user.id).join();
    if (!all.has(key) || all.get(key).llr < pair.llr) all.set(key, pair);
  }
  return [...all.values()].sort((a, b) => b.llr - a.llr);
}

function pairTable(pairs) {
  const named = (user) => h("a", { href: `/console/people/${user.id}` }, user.name ?? user.id);
  const says = (pair) =>
    pair.alike === "one_person" ? badge("Taken for one person", "bad") : badge("Near", "warn");
  const advice = (pair) =>
    pair.alike === "one_person"
      ? "If it is one person, erase one entry; if two, give them different numbers, or PINs."
      : "Calls of one may stay without a name. More speech in both enrolments, or a PIN, tells them apart.";
  return table(
    [
      { title: "People", cell: (pair) => h("span", {}, named(pair.users[0]), " and ", named(pair.users[1])) },
      { title: "Alike", cell: says },
      { title: "Ratio", class: "number", cell: (pair) => h("span", { title: "Natural-log likelihood ratio of one person against two" }, pair.llr.toFixed(1)) },
      { title: "What to do", cell: advice },
    ],
    pairs,
    { caption: "Pairs of people whose voices are alike", key: (pair) => pair.users.map((user) => user.id).join("+") },
  );
}
