// The calendar by arrow keys. It works without this file too: every day of it is a button.

// Which day to go to once another month has come: its first or its last, or the same day of the month.
let arriveAt = null;

document.addEventListener("keydown", (event) => {
  const day = event.target.closest?.("[data-day]");
  if (!day) return;
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7 }[event.key];
  const month = { PageUp: "month-before", PageDown: "month-after" }[event.key];
  if (!step && !month && event.key !== "Home" && event.key !== "End") return;
  event.preventDefault();
  const days = [...day.closest("[data-calendar]").querySelectorAll("[data-day]")];
  if (month) return turnTo(month, (others) => others[Math.min(days.indexOf(day), others.length - 1)]);
  const at = { Home: 0, End: days.length - 1 }[event.key] ?? days.indexOf(day) + step;
  if (at < 0) return turnTo("month-before", (others) => others.at(at));
  if (at >= days.length) return turnTo("month-after", (others) => others[at - days.length]);
  focusOn(days, days[at]);
});

function turnTo(month, choose) {
  const button = document.getElementById(month);
  if (!button) return;
  arriveAt = choose;
  button.click();
}

function focusOn(days, chosen) {
  for (const day of days) day.tabIndex = day === chosen ? 0 : -1;
  chosen.focus();
}

// One stop for the Tab key, as in any list of choices: the day that has the focus, the chosen one, or the first open one.
function prepare() {
  for (const calendar of document.querySelectorAll("[data-calendar]")) {
    const days = [...calendar.querySelectorAll("[data-day]")];
    if (arriveAt) {
      const choose = arriveAt;
      arriveAt = null;
      focusOn(days, choose(days) ?? days[0]);
      continue;
    }
    const stop =
      days.find((day) => day === document.activeElement) ??
      days.find((day) => day.classList.contains("chosen")) ??
      days.find((day) => day.getAttribute("aria-disabled") !== "true") ??
      days[0];
    for (const day of days) day.tabIndex = day === stop ? 0 : -1;
  }
}
document.addEventListener("htmx:afterSettle", prepare);
prepare();
