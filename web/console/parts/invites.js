// Signup links: made, copied once, taken back.

import { get, send } from "../api.js";
import { announce, badge, button, dialog, h, problem, progress, table, when } from "../dom.js";

const LANGUAGES = [
  ["", "The browser's"],
  ["en", "English"],
  ["es", "Español"],
  ["fr", "Français"],
  ["de", "Deutsch"],
  ["hi", "हिन्दी"],
];

const STATES = { open: ["Open", "good"], used: ["Used", null], revoked: ["Taken back", null], expired: ["Run out", "warn"] };

/** The name of a language by its tag. */
export function languageName(tag) {
  return LANGUAGES.find(([known]) => known === tag)?.[1] ?? tag;
}

/** Makes a link for somebody and shows it, once. Gives whether one was made. */
export async function invite(person) {
  const numbers = person.numbers;
  const body = h(
    "div",
    { class: "form" },
    h("p", {}, `${person.name} enrols by this link in a browser: consent, some sentences read aloud, done. It is good once.`),
    numbers.length > 1 &&
      h(
        "div",
        { class: "field" },
        h("label", { for: "invite-number" }, "For calls to"),
        h("select", { id: "invite-number", name: "number" }, numbers.map((number) => h("option", { value: number }, number))),
      ),
    h(
      "div",
      { class: "field" },
      h("label", { for: "invite-language" }, "Language"),
      h("select", { id: "invite-language", name: "language" }, LANGUAGES.map(([tag, name]) => h("option", { value: tag }, name))),
    ),
    h(
      "div",
      { class: "field" },
      h("label", { for: "invite-days" }, "Good for (days)"),
      h("input", { type: "number", id: "invite-days", name: "days", min: 1, max: 365, placeholder: "As configured" }),
    ),
  );
  const made = await dialog("Create a signup link", body, [
    {
      label: "Create link",
      kind: "primary",
      act: (form) => {
        const filled = new FormData(form);
        const wanted = {};
        if (filled.get("number")) wanted.number = filled.get("number");
        if (filled.get("language")) wanted.language = filled.get("language");
        if (filled.get("days")) wanted.hours = Math.round(Number(filled.get("days")) * 24);
        return send("POST", `/v1/users/${person.id}/invites`, wanted);
      },
    },
  ]);
  if (!made) return false;
  await show(person, made);
  return true;
}

/** Whether a link opens on the machine of the service alone. */
function isLocal(url) {
  const { hostname } = new URL(url);
  return hostname === "localhost" || hostname === "[::1]" || hostname.startsWith("127.");
}

function show(person, made) {
  const link = h("input", { type: "text", id: "invite-link", readonly: true, value: made.url, onfocus: (event) => event.target.select() });
  const copied = h("p", { class: "small", role: "status" });
  const copy = async () => {
    link.select();
    try {
      await navigator.clipboard.writeText(made.url);
      copied.textContent = "Copied.";
    } catch {
      copied.textContent = "The browser does not let the page copy: the link is selected, press Ctrl or ⌘ and C.";
    }
  };
  const body = h(
    "div",
    { class: "form" },
    isLocal(made.url) &&
      h("p", { class: "note warn" }, h("span", {}, h("code", {}, "public_url"), " is not set, so the link is good on this machine alone: set it to the https address by which others reach this service, and make a new link.")),
    h("p", {}, `Send it to ${person.name} as you would send a password: whoever has it can enrol in their name. It is shown this once.`),
    h("div", { class: "field" }, h("label", { for: "invite-link" }, "Signup link"), link),
    h("p", { class: "actions" }, button("Copy link", copy, "primary")),
    copied,
    h("p", { class: "small" }, "Good until ", when(made.expires_at), "."),
  );
  return dialog("The link", body, [], { cancel: "Done" });
}

/** The links of somebody, with what can be done about them. */
export function invitesOf(person, onchange) {
  const root = h("section", { "aria-labelledby": "invites-heading" });
  const create = button("Create link", async () => {
    if (await invite(person)) await onchange();
  }, "small-button");
  root.append(h("div", { class: "heading" }, h("h2", { id: "invites-heading", tabindex: "-1" }, "Signup links"), h("p", { class: "actions" }, create)));
  const list = h("div", { class: "stack" });
  root.append(list);
  const revoke = async (made) => {
    const done = await dialog(
      "Take the link back?",
      `It lets ${person.name} in no more. Somebody who is enrolling by it at this moment has to begin again with another.`,
      [{ label: "Take it back", kind: "danger", act: () => send("DELETE", `/v1/users/${person.id}/invites/${made.id}`).then(() => true) }],
    );
    if (done) {
      announce("The link was taken back");
      await onchange();
    }
  };
  const shown = progress(get(`/v1/users/${person.id}/invites`), list).then(
    (invites) => {
      if (invites.length === 0) {
        list.replaceChildren(h("p", { class: "soft" }, "None yet. By a link, people enrol themselves in a browser."));
        return;
      }
      const state = (made) => badge(...(STATES[made.state] ?? [made.state, null]));
      const columns = [
        { title: "Made", cell: (made) => when(made.created_at) },
        { title: "State", cell: state },
        { title: "Until", cell: (made) => (made.used_at ? h("span", {}, "used ", when(made.used_at)) : when(made.expires_at)) },
        { title: "Language", cell: (made) => (made.language ? languageName(made.language) : "the browser's") },
        { title: "Take back", unseen: true, class: "end", cell: (made) => made.state === "open" && button("Take back", () => revoke(made), "small-button") },
      ];
      list.replaceChildren(table(columns, [...invites].reverse(), { caption: "Signup links, the newest first", key: (made) => made.id }));
    },
    (error) => list.replaceChildren(problem(error)),
  );
  return { root, shown };
}
