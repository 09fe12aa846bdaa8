// API keys: which there are, and when each was last used.

import { badge, h, table, when } from "../dom.js";

const COLUMNS = [
  { title: "Name", cell: (key) => key.name || "–" },
  { title: "Key", cell: (key) => `vx_…${key.last4}` },
  { title: "ID", cell: (key) => h("code", {}, key.id) },
  { title: "May", cell: (key) => key.scopes.join(", ") },
  { title: "Numbers", cell: (key) => key.numbers?.join(", ") ?? "All" },
  { title: "Last used", cell: (key) => (key.last_used_at ? when(key.last_used_at) : "Never") },
  { title: "State", cell: (key) => (key.revoked_at ? badge("Revoked") : badge("Good", "good")) },
];

/** The keys that may be known of, in a card; never the keys themselves. */
export function keysOf(keys) {
  return h(
    "section",
    { class: "card stack", id: "keys" },
    h("h2", {}, "API keys"),
    h("p", {}, "A key that nobody has used for long is better revoked: ", h("code", {}, "voxline keys revoke ID"), "."),
    table(COLUMNS, keys, { caption: "API keys", key: (key) => key.id }),
  );
}
