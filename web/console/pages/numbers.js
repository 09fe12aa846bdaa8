// The numbers of the deployment.

import { get } from "../api.js";
import { button, empty, h, heading, may, progress, table, when } from "../dom.js";
import { hidden, numberLink } from "../parts/people.js";
import { addNumber } from "./people.js";

export async function show(root, { session }) {
  if (!may(session, "enroll")) {
    root.replaceChildren(heading("Numbers"), hidden("Which numbers there are", "enroll"));
    return;
  }
  const numbers = await progress(get("/v1/numbers"), root);
  const add = may(session, "admin") ? button("Add a number", addNumber, "primary") : null;
  if (numbers.length === 0) {
    root.replaceChildren(heading("Numbers"), empty("There is no number yet", "A number is what callers dial, and every number has a roster of its own.", add));
    return;
  }
  root.replaceChildren(
    heading("Numbers", "What callers dial. No search crosses from one number to another.", ...(add ? [add] : [])),
    table(
      [
        { title: "Number", cell: (known) => numberLink(known.number) },
        { title: "Name", cell: (known) => known.name ?? "–" },
        { title: "Country", cell: (known) => known.region ?? "–" },
        { title: "People", class: "number", cell: (known) => h("a", { href: `/console/people?number=${encodeURIComponent(known.number)}` }, String(known.users)) },
        { title: "Added", cell: (known) => when(known.created_at) },
      ],
      numbers,
      { caption: "Numbers of this deployment", key: (known) => known.number },
    ),
  );
}
