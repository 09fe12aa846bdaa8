// Finds out who is logged in, and has the page of this address shown.

import { get, send, useToken } from "./api.js";
import { announce, h, problem, progress } from "./dom.js";

/** Whoever does something here is there: the session is told so, this often at most. */
const HERE = 5 * 60_000;

const { page, params, session: known } = document.body.dataset;
const root = document.getElementById("main");

/** The address of the login, from which one comes back here. */
function login() {
  return `/console/login?next=${encodeURIComponent(location.pathname + location.search)}`;
}

function account(session) {
  const element = document.getElementById("account");
  element.hidden = false;
  document.getElementById("scopes").textContent = `Key: ${session.scopes.join(", ")}`;
  const button = document.getElementById("logout");
  button.hidden = session.csrf === "";
  button.addEventListener("click", async () => {
    try {
      await send("DELETE", "/console/session");
      location.assign("/console/login");
    } catch (error) {
      root.prepend(problem(error));
    }
  });
}

/** A session ends when nobody is there for long. An open page asks for things by itself, so that is no sign. */
function stay() {
  let told = Date.now();
  const here = () => {
    if (Date.now() - told < HERE) return;
    told = Date.now();
    get("/console/session").catch((error) => {
      if (error.status === 401) location.assign(login());
    });
  };
  for (const sign of ["pointerdown", "keydown", "scroll"]) addEventListener(sign, here, { passive: true });
}

async function begin() {
  const module = import(`./pages/${page}.js`);
  let session = null;
  if (page !== "login") {
    try {
      // The page brings it, unless the browser kept the cookie from a visit that another site led to.
      session = known ? JSON.parse(known) : await progress(get("/console/session"), root);
    } catch (error) {
      if (error.status === 401) return location.replace(login());
      throw error;
    }
    useToken(session.csrf);
    account(session);
    stay();
  }
  const { show } = await module;
  await show(root, { params: JSON.parse(params), session });
  announce(`${root.dataset.title} is shown`);
}

/** From one call, person or number that is not shown, the way to all of them. */
function back() {
  const section = document.querySelector(".sections [aria-current]");
  if (!section || section.pathname === location.pathname) return [];
  return [h("p", {}, "Go to ", h("a", { href: section.href }, section.querySelector(".long").textContent))];
}

begin()
  .catch((error) => root.replaceChildren(h("h1", {}, root.dataset.title), problem(error), ...back()))
  .finally(() => root.removeAttribute("aria-busy"));
