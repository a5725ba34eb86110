/* Asks every 100 ms who is signed in; each fifth answer is a slow one. `polled` tells the answers. */
window.polled = { counts: {}, running: 0 };
let turn = 0;

async function poll() {
  window.polled.running += 1;
  turn += 1;
  let outcome;
  try {
    const response = await fetch(turn % 5 ? "/poll/" : "/poll/?slow");
    const body = response.ok ? (await response.json()).who : "";
    outcome = `${response.status} ${body}`;
  } catch (error) {
    outcome = String(error);
  }
  window.polled.counts[outcome] = (window.polled.counts[outcome] || 0) + 1;
  window.polled.running -= 1;
}

const timer = setInterval(poll, 100);
window.stopPolling = () => clearInterval(timer);
