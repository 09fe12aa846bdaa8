// Taking over people from a table: read, looked at, and then done.

import { ask } from "./raw.js";
import { announce, button, h, problem, progress, table } from "../dom.js";

/** More than this goes by the command line, which has no limit of this kind. */
const LARGEST = 1024 * 1024;

const COMMAND = "voxline user import users.csv --dry-run";

/** The import of a table, as a section; `numbers` are those of the deployment, `ondone` comes after people were added. */
export function importer(session, numbers, ondone) {
  const file = h("input", { type: "file", id: "import-file", accept: ".csv,text/csv,text/plain" });
  const number = h(
    "select",
    { id: "import-number" },
    h("option", { value: "" }, "None"),
    numbers.map((known) => h("option", { value: known.number }, known.name ? `${known.number} · ${known.name}` : known.number)),
  );
  const region = h("input", { type: "text", id: "import-region", maxlength: 2, placeholder: "as the number's", autocomplete: "off" });
  const outcome = h("div", { class: "stack", role: "status" });
  /** The chosen file's bytes, as they were looked at: whether they are text the service says. */
  let bytes = null;

  async function run(dryRun) {
    const query = new URLSearchParams({ dry_run: String(dryRun) });
    if (number.value) query.set("number", number.value);
    if (region.value.trim()) query.set("region", region.value.trim());
    outcome.replaceChildren();
    try {
      const report = await progress(ask(session, `/v1/users/import?${query}`, bytes, "text/csv"), outcome);
      draw(report, dryRun);
    } catch (error) {
      outcome.replaceChildren(problem(error));
    }
  }

  function draw(report, dryRun) {
    const count = (value, one, many) => `${value} ${value === 1 ? one : many}`;
    const what = `${count(report.added, "person", "people")} on ${count(report.numbers_added, "new number", "new numbers")}; ${report.unchanged} were here already`;
    if (report.faulty > 0) {
      outcome.replaceChildren(
        h(
          "div",
          { class: "note warn" },
          h("p", {}, `Nothing is imported: something stands against ${count(report.faulty, "line", "lines")}. Put them right in the file and choose it again.`),
        ),
        table(
          [
            { title: "Line", class: "number", cell: (fault) => String(fault.line) },
            { title: "What stands against it", cell: (fault) => fault.fault },
          ],
          report.faults,
          { caption: "Lines that cannot be imported" },
        ),
      );
      announce("Nothing is imported");
      return;
    }
    if (!dryRun) {
      outcome.replaceChildren(h("p", { class: "note good" }, `Imported: ${what}.`));
      announce("Imported");
      ondone();
      return;
    }
    const nothing = report.added === 0;
    outcome.replaceChildren(
      h("p", { class: "note" }, nothing ? `Nothing would change: ${what}.` : `This would import ${what}. Nothing is written yet.`),
      ...(nothing ? [] : [h("p", { class: "actions" }, button(`Import ${count(report.added, "person", "people")}`, () => run(false), "primary"))]),
    );
  }

  async function read() {
    const chosen = file.files[0];
    outcome.replaceChildren();
    bytes = null;
    if (!chosen) return;
    if (chosen.size > LARGEST) {
      outcome.replaceChildren(
        h("div", { class: "note warn" }, h("p", {}, "This table is larger than a mebibyte. Import it where the service runs, first to look at what would be done:"), h("p", {}, h("code", {}, COMMAND))),
      );
      return;
    }
    bytes = await chosen.arrayBuffer();
    await run(true);
  }

  file.addEventListener("change", read);
  for (const field of [number, region]) field.addEventListener("change", () => bytes !== null && run(true));
  return h(
    "section",
    { "aria-labelledby": "import-heading", id: "import" },
    h("h2", { id: "import-heading", tabindex: "-1" }, "Import people"),
    h(
      "p",
      { class: "soft" },
      "A CSV file with a header line: ",
      h("code", {}, "name, phone_number, assigned_vapi_number"),
      ", and optionally ",
      h("code", {}, "pin, vapi_region"),
      ". All rows are taken over, or none; whoever is there already stays as they are.",
    ),
    h(
      "div",
      { class: "filters" },
      h("div", { class: "field" }, h("label", { for: "import-file" }, "File"), file),
      h("div", { class: "field" }, h("label", { for: "import-number" }, "Telephone number for rows that name none"), number),
      h("div", { class: "field" }, h("label", { for: "import-region" }, "Country of numbers without a country code"), region),
    ),
    outcome,
  );
}
