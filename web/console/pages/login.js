// Logging in with an API key. The key is sent once and kept nowhere: the browser gets a session for it.

import { get, send } from "../api.js";
import { h, problem, progress } from "../dom.js";

/** Where to go afterwards: a page of the console, never anything else. */
function next() {
  const asked = new URL(new URLSearchParams(location.search).get("next") ?? "/console/calls", location.origin);
  const isOwn = asked.origin === location.origin && asked.pathname.startsWith("/console/");
  return isOwn && asked.pathname !== "/console/login" ? asked.pathname + asked.search : "/console/calls";
}

export async function show(root) {
  const key = h("input", {
    id: "key", name: "key", type: "password", required: true, autocomplete: "current-password", autocapitalize: "off",
    spellcheck: "false", placeholder: "vx_…", "aria-describedby": "key-hint",
  });
  const trouble = h("div", {});
  const submit = h("button", { type: "submit", class: "primary" }, "Log in");
  const enter = async (event) => {
    event.preventDefault();
    if (submit.getAttribute("aria-disabled")) return;
    submit.setAttribute("aria-disabled", "true");
    trouble.replaceChildren();
    try {
      await progress(send("POST", "/console/session", { key: key.value.trim() }), trouble);
      location.replace(next());
    } catch (error) {
      trouble.replaceChildren(problem(error));
      key.select();
      key.focus();
      submit.removeAttribute("aria-disabled");
    }
  };
  root.classList.add("narrow");
  root.replaceChildren(
    h("h1", {}, "Log in"),
    h("p", { class: "lead" }, "with an API key of this service"),
    h(
      "form",
      { class: "form", onsubmit: enter },
      // Password managers keep a key under a name.
      h("input", { type: "text", name: "username", value: "console", autocomplete: "username", hidden: true }),
      h("p", { class: "field" }, h("label", { for: "key" }, "API key"), key),
      h("p", { class: "small", id: "key-hint" }, "You see here what the key may see. ", h("code", {}, "voxline keys create --scope admin"), " makes one that may see everything."),
      trouble,
      h("p", { class: "actions" }, submit),
    ),
  );
  key.focus();
  // A link from elsewhere comes without the cookie (SameSite=Strict): somebody may well be logged in.
  const session = await get("/console/session").catch(() => null);
  if (session) location.replace(next());
}
