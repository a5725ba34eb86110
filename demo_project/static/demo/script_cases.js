/* The case "fetch" by entraFetch of challenge.js, and the newest run without loading the page. */
(() => {
  "use strict";

  const run = document.getElementById("run");

  async function showRun() {
    const response = await fetch(run.dataset.url);
    const text = await response.text();
    if (response.ok) run.replaceChildren(document.createRange().createContextualFragment(text));
  }

  async function call(button) {
    const target = document.querySelector(button.dataset.target);
    target.textContent = "Waiting for the answer …";
    const response = await window.entraFetch(button.dataset.fetch, {
      method: "POST",
      headers: { "X-CSRFToken": document.querySelector("[name=csrfmiddlewaretoken]").value },
    });
    const isJson = (response.headers.get("Content-Type") || "").startsWith("application/json");
    const answer = isJson ? await response.json() : {};
    target.textContent =
      answer.message || answer.error_description || `The site answered ${response.status}.`;
    await showRun();
  }

  for (const button of document.querySelectorAll("[data-fetch]")) {
    button.addEventListener("click", () => call(button));
  }
  document.addEventListener("htmx:afterSettle", showRun);
  for (const button of document.querySelectorAll("[data-script]")) button.disabled = false;
  for (const note of document.querySelectorAll("[data-no-script]")) note.hidden = true;
})();
