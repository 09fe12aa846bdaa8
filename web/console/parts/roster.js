// A roster that is searched and read page by page.

import { get } from "../api.js";
import { announce, button, empty, h, problem, progress } from "../dom.js";
import { peopleTable } from "./people.js";

const PAGE = 50;
/** How long a name may still be typed before it is looked for, in milliseconds. */
const TYPING = 250;

/**
 * A list of people with a search by name. `number` gives the number of whom (null: all), `nobody` is what stands where
 * there is nobody at all. Gives the elements and `show()`, which reads it anew.
 */
export function roster({ number, nobody, withNumbers = true }) {
  const list = h("div", { class: "stack" });
  const more = h("p", { class: "actions", hidden: true });
  const name = h("input", { type: "search", id: "name", autocomplete: "off", placeholder: "Part of a name" });
  let people = [];
  let asked = 0;
  let asking = new AbortController();

  async function read(after) {
    // The service looks through all names: no longer than somebody waits for it.
    asking.abort();
    asking = new AbortController();
    const query = new URLSearchParams({ limit: String(PAGE) });
    if (number()) query.set("number", number());
    if (name.value.trim()) query.set("name", name.value.trim());
    if (after) query.set("after", after);
    const mine = (asked += 1);
    try {
      const page = await progress(get(`/v1/enrollments?${query}`, { signal: asking.signal }), list);
      // A slower answer to an earlier question is none any more.
      if (mine !== asked) return;
      people = after ? [...people, ...page.users] : page.users;
      draw(page.more);
    } catch (error) {
      if (mine === asked) list.replaceChildren(problem(error));
    }
  }

  function draw(isMore) {
    const sought = name.value.trim();
    if (people.length > 0) {
      list.replaceChildren(peopleTable(people, "People, with how well they are enrolled", { withNumbers }));
    } else if (sought) {
      list.replaceChildren(empty("Nobody of that name", `No name here holds “${sought}”.`));
    } else {
      list.replaceChildren(nobody());
    }
    announce(people.length === 1 ? "1 person" : `${people.length} people${isMore ? ", and more" : ""}`);
    more.hidden = !isMore;
    more.replaceChildren(button("Show more", () => read(people.at(-1).id)));
  }

  let typing = null;
  name.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => read(null), TYPING);
  });
  const search = h("div", { class: "field" }, h("label", { for: "name" }, "Name"), name);
  return { search, list, more, show: () => read(null) };
}
