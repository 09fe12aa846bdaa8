// The calls on the line now, with the verdict on each as it forms, and below them the calls that were.

import { events, get } from "../api.js";
import { announce, badge, empty, h, heading, problem, progress } from "../dom.js";
import { outline } from "../directory.js";
import { firstCalls, history } from "../history.js";
import { LiveCard } from "../live.js";
import { inShort, phone } from "../words.js";

/** How long a call that ended stays among those on the line. */
const FAREWELL = 20_000;

/** The calls under way. */
const UNDER_WAY = "/v1/calls?live=true&limit=100";

const STATES = {
  open: ["watching", "live"],
  lost: ["connection lost, trying again", "warn"],
  ended: ["session over: log in again", "bad"],
};

export async function show(root, { session }) {
  // Everything is asked for at once. Whoever may not see calls is told so, and does not watch.
  const asked = firstCalls();
  const state = h("span", { id: "stream" });
  const underWay = get(UNDER_WAY);
  const standing = Promise.all([outline(session), asked, underWay]).then((told) => stand(root, state, session, ...told));
  asked.then(() => watch(root, state, standing), () => {});
  await progress(standing, root);
}

/** Follows the event stream, from before the page stands: what is told meanwhile waits for it. */
function watch(root, state, standing) {
  events(
    "/v1/calls/events",
    async (name, told) => {
      const { load, update } = await standing;
      if (name === "lagged") load();
      else update(told);
    },
    {
      onState: async (now) => {
        state.replaceChildren(badge(...STATES[now]));
        const { load } = await standing;
        if (now === "open") load();
        if (now === "ended") root.prepend(problem({ problem: { title: "The session is over", detail: "log in again to go on watching", code: "session_over", status: 401 } }));
      },
    },
  );
}

/** Builds the page of what is known, the calls that were and those under way; gives `{load, update}`, by which it changes. */
function stand(root, state, session, known, calls, underWay) {
  const cards = new Map();
  const list = h("div", { class: "cards", id: "live" });
  const nobody = empty("Nobody is on the line", "A call appears here with the first that is known of it: a header, a PIN, or a second of speech. The verdict then forms while somebody speaks; nothing needs to be loaded again.");
  const past = history(session, known);
  past.take(calls);
  root.replaceChildren(
    heading("Live calls", null, state),
    h("section", { "aria-label": "On the line now" }, list, nobody),
    past.element,
  );

  const arrange = () => {
    nobody.hidden = cards.size > 0;
    list.hidden = cards.size === 0;
  };
  const leave = (id) => {
    cards.get(id)?.element.remove();
    cards.delete(id);
    arrange();
  };
  const card = (id, number, startedAt) => {
    if (!cards.has(id)) {
      cards.set(id, new LiveCard(id, number, startedAt, known, session));
      list.prepend(cards.get(id).element);
      arrange();
      announce(`A call to ${phone(number)}`);
      // What was said before this page was opened.
      cards.get(id).catchUp();
    }
    return cards.get(id);
  };
  const update = (told) => {
    const one = card(told.call_id, told.number, null);
    if (!one.take({ version: told.version, at: new Date().toISOString(), verdict: told })) return;
    announce(`Call to ${phone(told.number)}: ${inShort(told)}`);
    if (told.final) {
      // It is recorded after it is told.
      setTimeout(past.refresh, 500);
      setTimeout(leave, FAREWELL, told.call_id);
    }
  };
  const show = (live) => {
    for (const call of live.toReversed()) {
      card(call.call_id, call.number, call.started_at).take({ version: call.version, at: call.updated_at, verdict: call.verdict });
    }
    const now = new Set(live.map((call) => call.call_id));
    for (const [id, one] of cards) if (!now.has(id) && !one.isOver) leave(id);
    arrange();
  };
  const load = () => get(UNDER_WAY).then(show).catch((error) => list.before(problem(error)));
  const name = () => {
    past.name();
    for (const one of cards.values()) if (one.versions.length > 0) one.draw();
  };
  known.named.then(name, (error) => root.prepend(problem(error)));
  show(underWay);
  return { load, update };
}
