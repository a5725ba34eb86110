/*
 * Says on the page that waits when the time is over, also to screen readers. It sends nothing: the
 * next try is the person's own click. Optional: without this script the page says how long it takes.
 */
(() => {
  "use strict";

  const shown = document.querySelector(".entra-wait");
  if (!shown) return;
  const end = Date.now() + Number(shown.dataset.entraSeconds) * 1000;

  // Not one long timer: those stand still while a computer sleeps.
  const timer = setInterval(() => {
    if (Date.now() < end) return;
    clearInterval(timer);
    shown.textContent = shown.dataset.entraReady;
  }, 1000);
})();
