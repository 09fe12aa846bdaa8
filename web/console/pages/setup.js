// Set-up: what is done of it, what comes next, and how.

import { get } from "../api.js";
import { badge, button, h, heading, may, progress } from "../dom.js";
import { carrierCheck } from "../parts/carrier.js";
import { identification } from "../parts/identify.js";
import { invite } from "../parts/invites.js";
import { keysOf } from "../parts/keys.js";
import { hidden } from "../parts/people.js";
import { addNumber, addPerson } from "./people.js";

export async function show(root, { session }) {
  const title = heading("Set-up", "From an empty service to the first call that knows who speaks. What is done already shows as done.");
  const mayEnrol = may(session, "enroll");
  const [state, numbers, people, keys] = await progress(
    Promise.all([
      may(session, "admin") ? get("/v1/setup") : null,
      mayEnrol ? get("/v1/numbers") : [],
      mayEnrol ? get("/v1/enrollments?limit=200").then((page) => page.users) : [],
      may(session, "admin") ? get("/v1/keys") : null,
    ]),
    root,
  );
  const steps = state ? walk(state, session, numbers, people) : [test(session, numbers, null, people)];
  const done = steps.filter((one) => one.done === true).length;
  const counted = steps.filter((one) => one.done !== null).length;
  const next = steps.find((one) => one.done === false);
  root.replaceChildren(
    title,
    state
      ? h(
          "div",
          { class: "stack" },
          h("p", { id: "walked" }, `${done} of ${counted} steps are done.`, next ? ` Next: ${next.title.charAt(0).toLowerCase()}${next.title.slice(1)}.` : " All that can be seen from here is in place."),
          h("progress", { max: counted, value: done, "aria-label": "Steps that are done" }),
        )
      : hidden("How far the set-up has come", "admin"),
    h("ol", { class: "steps" }, steps.map((one, nth) => step(one, nth, one === next))),
    keys ? keysOf(keys) : "",
  );
}

/** A step: open when it is the next one, or when there is something to try. */
function step({ id, title, done, text, body, open }, nth, isNext) {
  const state = done === null ? badge("To try") : done ? badge("Done", "good") : badge(isNext ? "Next" : "To do", isNext ? "warn" : null);
  return h(
    "li",
    { id, "data-done": String(done) },
    h(
      "details",
      { class: "card", open: isNext || open },
      h("summary", {}, h("span", { class: "nth", "aria-hidden": "true" }, String(nth + 1)), h("h2", {}, title), state),
      h("div", { class: "stack" }, text && h("p", {}, text), body),
    ),
  );
}

function walk(state, session, numbers, people) {
  return [
    number(state, numbers),
    reachable(state),
    telephony(state),
    {
      id: "carrier",
      title: "Check your carrier",
      done: null,
      text: "Does the number that forwarded a call arrive at all? It depends on the carrier and on the route, so try it before you build on it.",
      body: carrierCheck(session),
    },
    enrolment(state, numbers, people),
    test(session, numbers, state, people),
    {
      id: "first-call",
      title: "The first call",
      done: state.has_calls,
      text: state.has_calls ? "Calls have come. What is said of each, and why, stands there:" : "Call the number. Its verdict forms while you speak:",
      body: h("p", {}, h("a", { href: "/console/calls" }, "Live calls")),
    },
  ];
}

function number(state, numbers) {
  const known = numbers.map((one) => one.number).join(", ");
  return {
    id: "number",
    title: "Add a number",
    done: state.numbers > 0,
    text: state.numbers > 0 ? `Callers dial ${known}.` : "A number that callers dial, as it is on Vapi or at your carrier. It has a roster of its own.",
    body: h("p", { class: "actions" }, button(state.numbers > 0 ? "Add another number" : "Add a number", addNumber, state.numbers > 0 ? "small-button" : "primary")),
  };
}

/** Lines of a file or a shell, to be read and copied. */
function lines(label, ...texts) {
  return h("pre", { role: "group", tabindex: "0", "aria-label": label }, h("code", {}, texts.join("\n")));
}

function reachable(state) {
  const done = state.public_url !== null;
  return {
    id: "reachable",
    title: "Be reachable from outside",
    done,
    text: done
      ? `The outside world reaches this service at ${state.public_url}.`
      : `Carriers, Vapi and the browsers of people who sign up must reach this service by https; it is at ${state.address} now. Give it a certificate (tls.certificate) or put a reverse proxy with TLS in front, say its address, and start the service again:`,
    body: done ? null : lines("Setting in voxline.toml", "# voxline.toml", 'public_url = "…"   # https, the host, and nothing behind it'),
  };
}

function telephony(state) {
  const carriers = state.carriers.filter((one) => one.configured);
  const done = state.vapi.configured || carriers.length > 0;
  const named = [state.vapi.configured && "Vapi", ...carriers.map((one) => one.carrier)].filter(Boolean);
  return {
    id: "telephony",
    title: "Connect Vapi or a carrier",
    done,
    text: done ? `Connected: ${named.join(", ")}.` : "Either Vapi tells this service of calls, or a carrier's webhook does, before the call goes on to Vapi.",
    body: h("div", { class: "stack" }, vapi(state), ...state.carriers.map(carrier)),
  };
}

function vapi(state) {
  const url = state.vapi.events_url;
  return h(
    "details",
    {},
    h("summary", {}, "Vapi ", state.vapi.configured ? badge("Configured", "good") : badge("Not configured")),
    h(
      "div",
      { class: "stack" },
      !url && h("p", { class: "note" }, "Set public_url first: it is part of the address that Vapi calls."),
      lines("Settings in voxline.toml", "# voxline.toml", "[vapi]", 'auth = "hmac"', 'assistant_id = "…"   # leave it out and `apply` makes one'),
      h("p", {}, "Secrets belong into the environment:"),
      lines("Environment", "VOXLINE_VAPI_SECRET=…       # a long random text of your own", "VOXLINE_VAPI_API_KEY=…      # Vapi's private key", "VOXLINE_VAPI_PUBLIC_KEY=…   # Vapi's public key"),
      h("p", {}, "Then, where the service runs: see what will be set on Vapi's side, set it, and check it."),
      lines("Commands", "voxline vapi plan", "voxline vapi apply", "voxline vapi check"),
      url && h("p", {}, "Vapi's server URL becomes ", h("code", {}, url), "."),
    ),
  );
}

/** What is pasted where. */
const PLACES = {
  twilio: "Twilio's console: the number's “A call comes in” webhook, by POST",
  telnyx: "Telnyx's portal: the webhook of the number's Voice API application or TeXML application",
  vonage: "Vonage's dashboard: the application's answer URL, with signed webhooks",
  bandwidth: "Bandwidth's dashboard: the application's call-initiated callback, with the name and password of the settings",
  plivo: "Plivo's console: the application's answer URL, by POST",
  asterisk: "Your Asterisk's dialplan: the address that it announces calls to (docs/asterisk.md)",
  jambonz: "jambonz's portal: the application's calling webhook, by POST",
};

function carrier(one) {
  const name = one.carrier.charAt(0).toUpperCase() + one.carrier.slice(1);
  const keys = one.keys.map((key) => {
    const [section, setting] = key.split(".");
    return `VOXLINE_${section.toUpperCase()}_${setting.toUpperCase()}=…`;
  });
  return h(
    "details",
    {},
    h("summary", {}, `${name} `, one.configured ? badge("Configured", "good") : badge("Not configured")),
    h(
      "div",
      { class: "stack" },
      h("p", {}, `${PLACES[one.carrier] ?? "Its voice webhook"}:`),
      one.webhook ? lines("Address to paste", one.webhook) : h("p", { class: "note" }, "Set public_url first: it is part of the address."),
      h("p", {}, `Its requests are proven by ${one.keys.join(" and ")}; in the environment:`),
      lines("Environment", ...keys),
    ),
  );
}

function enrolment(state, numbers, people) {
  const chosen = h("select", { id: "first-person" }, people.map((person) => h("option", { value: person.id }, person.name)));
  const send = async () => {
    const person = people.find((one) => one.id === chosen.value);
    if (person && (await invite(person))) location.assign(`/console/people/${person.id}`);
  };
  const first = numbers.length === 0 ? null : button("Add a person", () => addPerson(numbers, numbers[0].number), people.length === 0 ? "primary" : "small-button");
  return {
    id: "enrolment",
    title: "Enrol the first voice",
    done: state.enrolled > 0,
    text:
      state.enrolled > 0
        ? `${state.enrolled} of ${state.users} people are known by voice.`
        : "Add yourself, and open the signup link in this browser or on your phone: it asks for consent, listens, and enrols.",
    body:
      numbers.length === 0
        ? h("p", { class: "note" }, "Add a number first: people are enrolled on numbers.")
        : h(
            "div",
            { class: "stack" },
            people.length > 0 && h("div", { class: "field" }, h("label", { for: "first-person" }, "Who"), chosen),
            h("p", { class: "actions" }, people.length > 0 && button("Create a signup link", send, state.enrolled > 0 ? "small-button" : "primary"), first),
          ),
  };
}

function test(session, numbers, state, people) {
  const known = h("select", { id: "test-number" }, numbers.map((one) => h("option", { value: one.number }, one.name ? `${one.number} · ${one.name}` : one.number)));
  const typed = h("input", { type: "tel", id: "test-number", placeholder: "+12025550102", autocomplete: "off" });
  const field = may(session, "enroll") ? known : typed;
  const ready = state === null || (state.numbers > 0 && state.enrolled > 0);
  const body = () => {
    if (!may(session, "identify")) return hidden("A test identification", "identify");
    if (!ready) return h("p", { class: "note" }, "There is nobody to know yet: enrol a voice first.");
    return h("div", { class: "stack" }, h("div", { class: "field" }, h("label", { for: "test-number" }, "As if it were a call to"), field), identification(session, () => field.value.trim(), people));
  };
  return {
    id: "test",
    title: "Try it with the microphone",
    done: null,
    text: "Speak, and see whether the service knows you. A microphone is clearer than a telephone, so a call has it harder.",
    body: body(),
    open: ready,
  };
}
