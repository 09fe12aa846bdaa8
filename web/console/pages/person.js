// One person: how well they are enrolled, their enrolments, consents and links, what was done, and erasing them.

import { get } from "../api.js";
import { badge, button, coded, h, heading, may, problem, progress, table, when } from "../dom.js";
import { erase, eraseEnrolment } from "../parts/erase.js";
import { invite, invitesOf, languageName } from "../parts/invites.js";
import { age, healthBadge, hidden, listed, numberLink, seconds } from "../parts/people.js";
import { phone } from "../words.js";

export async function show(root, { params, session }) {
  if (!may(session, "enroll")) {
    root.replaceChildren(heading("Person"), hidden("Who this is", "enroll"));
    return;
  }
  const path = `/v1/users/${encodeURIComponent(params.id)}`;
  // What was pressed is gone then: the focus goes to the heading of what it changed.
  const again = async (changed) => {
    await show(root, { params, session });
    document.getElementById(changed).focus();
  };
  const person = await progress(get(`${path}/health`), root);
  document.title = `${person.name} · Voxline`;
  const made = invitesOf(person, () => again("invites-heading"));
  root.replaceChildren(
    heading(person.name, null, button("Create a signup link", async () => (await invite(person)) && again("invites-heading"), "primary")),
    h("div", { class: "pair" }, health(person, session), facts(person)),
    enrolments(path, person, () => again("enrolments-heading")),
    consents(path),
    made.root,
    ...(may(session, "admin") ? [doings(person)] : []),
    danger(person),
  );
  await made.shown;
}

function health(person) {
  const voice = person.enrolled_at
    ? [
        ["Enrolled", h("time", { datetime: person.enrolled_at, title: new Date(person.enrolled_at).toLocaleString() }, age(person.enrolled_at))],
        ["Speech", `${seconds(person.net_speech_seconds)} in ${person.clips} ${person.clips === 1 ? "recording" : "recordings"}`],
        ["Above the background", person.snr_db === null ? "not measured" : `${Math.round(person.snr_db)} dB, in the noisiest recording`],
        ["Heard over", person.bandwidth === "wide" ? "a microphone (wide band)" : "a telephone (narrow band)"],
        ["Model", person.model_in_use],
      ]
    : [["Model in use", person.model_in_use], ["Enrolled for", listed(person.models)]];
  return h(
    "section",
    { class: "card", "aria-labelledby": "health-heading" },
    h("header", {}, h("h2", { id: "health-heading" }, "Enrolment"), healthBadge(person)),
    person.remarks.length === 0
      ? h("p", {}, "Nothing stands against it.")
      : h("ul", { class: "plain" }, person.remarks.map((remark) => h("li", { "data-code": remark.code }, `${remark.message.charAt(0).toUpperCase()}${remark.message.slice(1)}.`))),
    h("dl", { class: "facts" }, voice.flatMap(([what, value]) => [h("dt", {}, what), h("dd", {}, value)])),
  );
}

function facts(person) {
  return h(
    "section",
    { class: "card", "aria-labelledby": "facts-heading" },
    h("header", {}, h("h2", { id: "facts-heading" }, "On the roster of")),
    h("p", {}, listed(person.numbers.map(numberLink))),
    h(
      "dl",
      { class: "facts" },
      h("dt", {}, "Number alone"),
      h("dd", {}, person.exclusive ? "one of them is this person's alone" : "no, all are shared"),
      h("dt", {}, "Phones"),
      h("dd", { class: "number" }, listed(person.phones.map(phone))),
      h("dt", {}, "Compared with calls"),
      h("dd", {}, person.opted_out ? "no: they have opted out" : "yes, where a voice is enrolled"),
      h("dt", {}, "Added"),
      h("dd", {}, when(person.created_at)),
      h("dt", {}, "Id"),
      h("dd", {}, h("code", {}, person.id)),
    ),
    h("p", {}, h("a", { href: `/console/calls?user=${person.id}` }, "Calls of this person")),
  );
}

function enrolments(path, person, again) {
  const list = h("div", { class: "stack" });
  const erased = async (one) => {
    const clips = one.clips === 1 ? "One recording" : `${one.clips} recordings`;
    if (await eraseEnrolment(person, one, clips)) await again();
  };
  progress(get(`${path}/enrollments`), list).then(
    (all) => {
      if (all.length === 0) {
        list.replaceChildren(h("p", { class: "soft" }, coded("None. A signup link lets this person enrol in a browser; `voxline enroll` takes recordings.")));
        return;
      }
      const models = (one) =>
        one.models.map((model) => (model === person.model_in_use ? model : badge(`${model}: not in use`, "warn")));
      const columns = [
        { title: "Enrolled", cell: (one) => when(one.created_at) },
        { title: "Speech", class: "number", cell: (one) => seconds(one.net_speech_seconds) },
        { title: "Recordings", class: "number", cell: (one) => (one.recordings_kept > 0 ? `${one.clips}, ${one.recordings_kept} kept` : `${one.clips}, none kept`) },
        { title: "Model", cell: (one) => h("span", {}, listed(models(one))) },
        { title: "Erase", unseen: true, class: "end", cell: (one) => button("Erase", () => erased(one), "small-button") },
      ];
      list.replaceChildren(table(columns, all, { caption: "Enrolments, the oldest first", key: (one) => one.id }));
    },
    (error) => list.replaceChildren(problem(error)),
  );
  return h("section", { "aria-labelledby": "enrolments-heading" }, h("h2", { id: "enrolments-heading", tabindex: "-1" }, "Enrolments"), list);
}

function consents(path) {
  const list = h("div", { class: "stack" });
  const words = (consent) => {
    if (consent.erased_at !== null) return h("span", { class: "soft" }, "Erased; the check sum stays");
    if (consent.text === null) return h("span", { class: "soft" }, "Not shown to a key for some numbers alone");
    return h("details", {}, h("summary", {}, "Read"), consent.text.split("\n\n").map((part) => h("p", { class: "small" }, part)));
  };
  progress(get(`${path}/consents`), list).then(
    (all) => {
      if (all.length === 0) {
        list.replaceChildren(h("p", { class: "soft" }, "None was given yet: nothing is enrolled without one."));
        return;
      }
      const columns = [
        { title: "Given", cell: (consent) => when(consent.given_at) },
        { title: "Version", cell: (consent) => consent.version ?? "no version: words of the API or the command line" },
        { title: "Language", cell: (consent) => (consent.language ? languageName(consent.language) : "not recorded") },
        { title: "Recordings", cell: (consent) => (consent.keep_audio ? "may be kept" : "may not be kept") },
        { title: "Words", cell: words },
      ];
      list.replaceChildren(table(columns, all, { caption: "Consents, the oldest first", key: (consent) => consent.id }));
    },
    (error) => list.replaceChildren(problem(error)),
  );
  return h("section", { "aria-labelledby": "consents-heading" }, h("h2", { id: "consents-heading" }, "Consent"), list);
}

/** What the audit log says of this person, for who may administer. */
function doings(person) {
  const list = h("div", { class: "stack" });
  const by = (entry) => (entry.actor_id ? h("span", {}, `${entry.actor} `, h("code", {}, entry.actor_id)) : entry.actor);
  progress(get(`/v1/audit?limit=20&user=${person.id}`), list).then(
    (all) => {
      if (all.length === 0) {
        list.replaceChildren(h("p", { class: "soft" }, "The audit log has nothing on this person (any more)."));
        return;
      }
      const columns = [
        { title: "When", cell: (entry) => when(entry.at) },
        { title: "What", cell: (entry) => h("code", {}, entry.act) },
        { title: "Outcome", cell: (entry) => entry.outcome },
        { title: "By", cell: by },
        { title: "From", cell: (entry) => entry.address ?? "this machine" },
      ];
      list.replaceChildren(table(columns, all, { caption: "The latest 20 entries of the audit log, the newest first", key: (entry) => entry.seq }));
    },
    (error) => list.replaceChildren(problem(error)),
  );
  return h("section", { "aria-labelledby": "doings-heading" }, h("h2", { id: "doings-heading" }, "What was done"), list);
}

function danger(person) {
  const go = async () => {
    if (await erase(person)) location.assign("/console/people");
  };
  return h(
    "section",
    { "aria-labelledby": "erase-heading" },
    h("h2", { id: "erase-heading" }, "Erase"),
    h("p", { class: "soft" }, "On request, or when somebody leaves. Afterwards nothing here knows the voice, and there is a receipt."),
    h("p", { class: "actions" }, button("Erase this person…", go, "danger")),
  );
}
