/*
 * The requests that htmx would send, and no more of it: `data-hx-get` loads an address into the
 * element `data-hx-target`, with htmx's request headers, and obeys HX-Redirect. It stands in for
 * htmx because this demo brings no library along; the site cannot tell the difference.
 */
(() => {
  "use strict";

  async function load(button) {
    const target = document.querySelector(button.dataset.hxTarget);
    const response = await fetch(button.dataset.hxGet, {
      headers: {
        "HX-Request": "true",
        "HX-Current-URL": location.href,
        "HX-Target": target.id,
      },
    });
    const url = response.headers.get("HX-Redirect");
    if (url) {
      location.assign(url);
      return;
    }
    const text = await response.text();
    if (response.ok) {
      target.replaceChildren(document.createRange().createContextualFragment(text));
    } else {
      target.textContent = `The site answered ${response.status}.`;
    }
    target.dispatchEvent(new CustomEvent("htmx:afterSettle", { bubbles: true }));
  }

  for (const button of document.querySelectorAll("[data-hx-get]")) {
    button.addEventListener("click", () => load(button));
  }
})();
