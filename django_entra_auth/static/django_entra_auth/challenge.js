/*
 * entraFetch(input, init): fetch for pages whose calls may need the person again.
 *
 * When the site answers 401 because Microsoft wants to see the person (another factor, a consent,
 * a new sign-in), a dialog says so. "Continue" opens the prompt in a window of its own; once that is
 * done, every waiting call is repeated once and its caller gets that answer. After "Cancel" or Esc
 * the caller gets the 401. Optional: without this script, calls simply get the 401.
 *
 * <script src="…/django_entra_auth/challenge.js"
 *         data-entra-title="…" data-entra-message="…"
 *         data-entra-continue="…" data-entra-cancel="…" defer></script>
 *
 * The dialog has the class "entra-challenge".
 */
(() => {
  "use strict";

  const CHANNEL = "django_entra_auth";
  const DONE = "done";
  const settings = document.currentScript ? document.currentScript.dataset : {};

  // The page that a prompt's window ends on. A channel, because the default
  // Cross-Origin-Opener-Policy of Django leaves that window without an opener.
  if ("entraDone" in settings) {
    const channel = new BroadcastChannel(CHANNEL);
    channel.postMessage(DONE);
    channel.close();
    window.close();
    return;
  }

  const texts = {
    title: settings.entraTitle || "Microsoft needs you to continue",
    message:
      settings.entraMessage ||
      "To go on, confirm who you are in a new window. This page stays as it is.",
    continue: settings.entraContinue || "Continue",
    cancel: settings.entraCancel || "Cancel",
  };

  let openPrompt = null; // one for all waiting calls: a promise of whether the person did it
  let doneAt = -1;

  /** The address when it is a path of this site, else null. */
  function readPath(text) {
    if (typeof text !== "string" || !text.startsWith("/")) return null;
    try {
      const url = new URL(text, location.href);
      return url.origin === location.origin ? url.href : null;
    } catch (error) {
      return null;
    }
  }

  /** Where to send the person, when the response is a 401 of this site that says so. */
  async function readChallenge(response) {
    const type = response.headers.get("Content-Type") || "";
    if (response.status !== 401 || !/^application\/json\s*(;|$)/i.test(type)) return null;
    try {
      // A service worker's own answer has no address.
      if (new URL(response.url, location.href).origin !== location.origin) return null;
      const body = await response.clone().json();
      const loginUrl = readPath(body.login_url);
      const popupUrl = readPath(body.popup_url);
      return loginUrl && popupUrl ? { loginUrl, popupUrl } : null;
    } catch (error) {
      return null; // not the JSON it claims to be
    }
  }

  function addElement(parent, name, text) {
    const element = document.createElement(name);
    element.textContent = text;
    parent.append(element);
    return element;
  }

  function addButton(parent, text, className, onClick) {
    const button = addElement(parent, "button", text);
    button.type = "button";
    button.className = className;
    button.addEventListener("click", onClick);
    return button;
  }

  function buildDialog(onContinue) {
    const dialog = document.createElement("dialog");
    dialog.className = "entra-challenge";
    const title = addElement(dialog, "h2", texts.title);
    const message = addElement(dialog, "p", texts.message);
    title.id = "entra-challenge-title";
    message.id = "entra-challenge-message";
    dialog.setAttribute("aria-labelledby", title.id);
    dialog.setAttribute("aria-describedby", message.id);
    const actions = addElement(dialog, "div", "");
    actions.className = "entra-actions";
    addButton(actions, texts.continue, "entra-button", onContinue);
    addButton(actions, texts.cancel, "entra-button entra-button-quiet", () => dialog.close());
    return dialog;
  }

  function openWindow({ loginUrl, popupUrl }) {
    // On the click itself, so that browsers let it through.
    const popup = window.open(popupUrl, "_blank", "popup,width=520,height=720");
    if (popup) {
      popup.opener = null; // other sites will be shown there
    } else {
      location.assign(loginUrl);
    }
  }

  /** Ask the person; resolves to true once the prompt was passed, to false when cancelled. */
  function prompt(urls) {
    return new Promise((resolve) => {
      const channel = new BroadcastChannel(CHANNEL);
      const dialog = buildDialog(() => openWindow(urls));
      let passed = false;
      channel.addEventListener("message", (event) => {
        if (event.data !== DONE) return;
        passed = true;
        doneAt = performance.now();
        dialog.close();
      });
      dialog.addEventListener("close", () => {
        channel.close();
        dialog.remove();
        openPrompt = null;
        resolve(passed);
      });
      document.body.append(dialog);
      dialog.showModal();
    });
  }

  function promptOnce(urls) {
    openPrompt = openPrompt || prompt(urls);
    return openPrompt;
  }

  /** Rejects as fetch does when the caller gives up; never resolves. */
  function giveUp(signal) {
    return new Promise((resolve, reject) => {
      const stop = () => reject(signal.reason);
      if (signal.aborted) stop();
      else signal.addEventListener("abort", stop, { once: true });
    });
  }

  async function entraFetch(input, init) {
    const request = new Request(input, init);
    const spare = request.clone(); // a body can be read only once
    const startedAt = performance.now();
    const response = await fetch(request);
    const urls = await readChallenge(response);
    // Sent before a prompt that is done by now: nobody has to be asked again.
    const passed =
      urls &&
      (startedAt < doneAt || (await Promise.race([promptOnce(urls), giveUp(spare.signal)])));
    if (passed) return fetch(spare);
    if (spare.body) spare.body.cancel();
    return response;
  }

  window.entraFetch = entraFetch;
})();
