// Who and what there is by name: the numbers, and the users on them. Asked once a page, by keys that may know.

import { get } from "./api.js";
import { may } from "./dom.js";

/** Numbers whose rosters are read: a page must not ask for hundreds. */
const MOST_ROSTERS = 20;

let loading = null;

/** `{numbers, users}`: what the service has, and users by id. Empty for a key that may not know. */
export async function directory(session) {
  const known = await outline(session);
  await known.named;
  return known;
}

/** The same as soon as the numbers are there: `users` fills until `named`, a promise, is kept. */
export function outline(session) {
  loading ??= load(session);
  return loading;
}

async function load(session) {
  const users = new Map();
  if (!may(session, "enroll")) return { numbers: [], users, named: Promise.resolve() };
  const numbers = await get("/v1/numbers");
  const rosters = numbers.slice(0, MOST_ROSTERS).map(({ number }) => get(`/v1/users?number=${encodeURIComponent(number)}`));
  const named = Promise.all(rosters).then((all) => {
    for (const user of all.flat()) users.set(user.id, user);
  });
  // Whoever waits for the names is told.
  named.catch(() => {});
  return { numbers, users, named };
}

/** A user's name, or the end of their id where the name is not known. */
export function nameOf(known, id, name = null) {
  return name ?? known.users.get(id)?.name ?? `user …${id.slice(-6)}`;
}
