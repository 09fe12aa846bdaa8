// Erasing somebody, with a receipt to keep.

import { send } from "../api.js";
import { dialog, h } from "../dom.js";
import { asRead } from "../words.js";
import { save } from "./people.js";

/** Asks for the name, erases, and shows the receipt. Gives whether anybody was erased. */
export async function erase(person) {
  const name = h("input", { type: "text", id: "erase-name", autocomplete: "off", required: true, spellcheck: "false" });
  const body = h(
    "div",
    { class: "form" },
    h("p", {}, `${person.name} is taken off every number. Voiceprints, recordings, phones, PIN and links are erased, and id, name and scores in what was said of calls. Of the consents only dates and check sums stay, as proof. This cannot be undone.`),
    h("div", { class: "field" }, h("label", { for: "erase-name" }, `Type the name to confirm: ${person.name}`), name),
  );
  const receipt = await dialog("Erase this person?", body, [
    {
      label: "Erase",
      kind: "danger",
      act: () => {
        if (asRead(name.value) !== asRead(person.name)) {
          name.focus();
          throw asProblem("The name is another one", `To confirm, type exactly “${person.name}”`);
        }
        return send("DELETE", `/v1/users/${person.id}`);
      },
    },
  ]);
  if (!receipt) return false;
  await showReceipt(`${person.name} is erased`, receipt);
  return true;
}

/** Something that a form refuses before the service is asked. */
function asProblem(title, detail) {
  return Object.assign(new Error(detail), { problem: { title, detail, code: "not_confirmed", status: 422 } });
}

/** Erases one enrolment; gives whether it was. */
export async function eraseEnrolment(person, enrolment, clips) {
  const receipt = await dialog(
    "Erase this enrolment?",
    `${clips} of ${person.name} and the voiceprints made of them are erased. The person stays; without another enrolment their calls are not recognised by voice.`,
    [{ label: "Erase", kind: "danger", act: () => send("DELETE", `/v1/users/${person.id}/enrollments/${enrolment.id}`) }],
  );
  if (!receipt) return false;
  await showReceipt("The enrolment is erased", receipt);
  return true;
}

function showReceipt(title, receipt) {
  const counted = [
    ["What was erased", receipt.erased === "user" ? "the person" : "enrolments: the person stays"],
    ["Voiceprints erased", receipt.voiceprints_erased],
    ["Enrolments erased", receipt.enrollments_erased],
    ["Kept recordings erased", receipt.recordings_erased],
    ["Calls in which the person is named no more", receipt.calls_redacted],
    ["When", new Date(receipt.at).toLocaleString()],
    ["Gone from the file's bytes", receipt.overwritten ? "yes" : "not yet: with the next erasure or start; on PostgreSQL as its administrators have it"],
  ];
  const text = `${JSON.stringify(receipt, null, 2)}\n`;
  const body = h(
    "div",
    { class: "form" },
    h("dl", { class: "facts", id: "receipt" }, counted.flatMap(([what, value]) => [h("dt", {}, what), h("dd", {}, String(value))])),
    h("p", { class: "small" }, "The receipt names nobody but by the id. Keep it where you keep proof that requests to erase were met."),
    h("p", { class: "actions" }, h("button", { type: "button", class: "primary", onclick: () => save(`erasure-${receipt.user_id}.json`, text) }, "Download the receipt")),
  );
  return dialog(title, body, [], { cancel: "Done" });
}
