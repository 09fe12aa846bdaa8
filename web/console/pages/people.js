// People and numbers: everybody, found by number and name, with who should enrol again; numbers; import.

import { get, send } from "../api.js";
import { button, dialog, empty, h, heading, may, progress } from "../dom.js";
import { importer } from "../parts/import.js";
import { hidden, numberLink } from "../parts/people.js";
import { roster } from "../parts/roster.js";

export async function show(root, { session }) {
  if (!may(session, "enroll")) {
    root.replaceChildren(heading("People and numbers"), hidden("Who is enrolled on which number", "enroll"));
    return;
  }
  const numbers = await progress(get("/v1/numbers"), root);
  const isAdmin = may(session, "admin");
  if (numbers.length === 0) {
    root.replaceChildren(heading("People and numbers"), noNumbers(isAdmin));
    return;
  }

  const chosen = h(
    "select",
    { id: "number" },
    h("option", { value: "" }, "All numbers"),
    numbers.map((known) => h("option", { value: known.number }, known.name ? `${known.number} · ${known.name}` : known.number)),
  );
  const asked = new URLSearchParams(location.search).get("number");
  if (numbers.some((known) => known.number === asked)) chosen.value = asked;
  const add = button("Add a person", () => addPerson(numbers, chosen.value), "primary");
  const people = roster({ number: () => chosen.value, nobody: () => nobody(add) });
  chosen.addEventListener("change", () => people.show());

  root.replaceChildren(
    heading("People and numbers", "Who can be known by voice on which number, and whose enrolment needs care.", add),
    h(
      "section",
      { "aria-labelledby": "numbers-heading" },
      h(
        "div",
        { class: "heading" },
        h("h2", { id: "numbers-heading" }, "Numbers"),
        h("p", { class: "actions" }, isAdmin && button("Add a number", addNumber, "small-button")),
      ),
      h("div", { class: "tiles" }, numbers.map(numberTile)),
    ),
    h(
      "section",
      { "aria-labelledby": "people-heading" },
      h("h2", { id: "people-heading" }, "People"),
      h("div", { class: "filters", role: "search" }, people.search, h("div", { class: "field" }, h("label", { for: "number" }, "Number"), chosen)),
      people.list,
      people.more,
    ),
    ...(isAdmin ? [importer(session, numbers, () => people.show())] : []),
  );
  await people.show();
}

function numberTile(known) {
  return h(
    "div",
    { class: "tile" },
    numberLink(known.number),
    h("span", { class: "soft" }, known.name ?? "no name"),
    h("span", { class: "soft" }, known.users === 1 ? "1 person" : `${known.users} people`),
  );
}

function noNumbers(isAdmin) {
  const text = isAdmin
    ? "A number is what callers dial, and every number has a roster of its own. Begin with one."
    : "A number is what callers dial, and every number has a roster of its own. Adding one takes a key with the scope `admin`.";
  return empty("There is no number yet", text, isAdmin ? button("Add a number", addNumber, "primary") : null);
}

function nobody(add) {
  const again = button("Add a person", () => add.click(), "primary");
  return empty("Nobody is on the roster yet", "Add people here one by one, or import all of them from a table below.", again);
}

/** What a field of a whole telephone number takes: the browser says so at the field, before anything is sent. */
const PHONE_FIELD = { pattern: "\\s*\\+[\\d\\s\\(\\)\\-]+", title: "A + and the country code come first, as in +12025550102" };

/** Asks for a new number and goes to its page. */
export async function addNumber() {
  const body = h(
    "div",
    { class: "form" },
    h(
      "div",
      { class: "field" },
      h("label", { for: "new-number" }, "Number, with its country code"),
      h("input", { type: "tel", id: "new-number", name: "number", required: true, ...PHONE_FIELD, placeholder: "+12025550102", autocomplete: "off" }),
    ),
    h("div", { class: "field" }, h("label", { for: "new-number-name" }, "Name (as callers know it)"), h("input", { type: "text", id: "new-number-name", name: "name", maxlength: 200 })),
  );
  const added = await dialog("Add a number", body, [
    {
      label: "Add",
      kind: "primary",
      act: (form) => {
        const filled = new FormData(form);
        return send("POST", "/v1/numbers", { number: filled.get("number").replace(/[\s()-]/g, ""), name: filled.get("name").trim() || null });
      },
    },
  ]);
  if (added) location.assign(`/console/numbers/${encodeURIComponent(added.number)}`);
}

/** Asks for a new person and goes to their page. */
export async function addPerson(numbers, usual) {
  const number = h(
    "select",
    { id: "person-number", name: "number" },
    numbers.map((known) => h("option", { value: known.number }, known.number)),
  );
  if (usual) number.value = usual;
  const body = h(
    "div",
    { class: "form" },
    h("div", { class: "field" }, h("label", { for: "person-name" }, "Name"), h("input", { type: "text", id: "person-name", name: "name", required: true, maxlength: 200, autocomplete: "off" })),
    h("div", { class: "field" }, h("label", { for: "person-number" }, "On the roster of"), number),
    h(
      "div",
      { class: "field" },
      h("label", { for: "person-phone" }, "Own phone, with its country code (may be left out)"),
      h("input", { type: "tel", id: "person-phone", name: "phone", ...PHONE_FIELD, placeholder: "+12025550143", autocomplete: "off" }),
    ),
  );
  const added = await dialog("Add a person", body, [
    {
      label: "Add",
      kind: "primary",
      act: (form) => {
        const filled = new FormData(form);
        const phone = filled.get("phone").replace(/[\s()-]/g, "");
        return send("POST", "/v1/users", { name: filled.get("name"), number: filled.get("number"), phones: phone ? [phone] : [] });
      },
    },
  ]);
  if (added) location.assign(`/console/people/${added.id}`);
}
