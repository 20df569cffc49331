// The calendar by arrow keys. It works without this file too: every day of it is a button.
document.addEventListener("keydown", (event) => {
  const day = event.target.closest?.("[data-day]");
  if (!day) return;
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7 }[event.key];
  const month = { PageUp: "month-before", PageDown: "month-after" }[event.key];
  if (!step && !month && event.key !== "Home" && event.key !== "End") return;
  event.preventDefault();
  if (month) return document.getElementById(month)?.click();
  const days = [...day.closest("[data-calendar]").querySelectorAll("[data-day]")];
  const at = { Home: 0, End: days.length - 1 }[event.key] ?? days.indexOf(day) + step;
  if (at < 0) return document.getElementById("month-before")?.click();
  if (at >= days.length) return document.getElementById("month-after")?.click();
  focusOn(days, days[at]);
});

// One stop for the Tab key, as in any list of choices: the chosen day, else the first that can be chosen.
function prepare() {
  for (const calendar of document.querySelectorAll("[data-calendar]")) {
    const days = [...calendar.querySelectorAll("[data-day]")];
    const stop =
      days.find((day) => day === document.activeElement) ??
      days.find((day) => day.classList.contains("chosen")) ??
      days.find((day) => day.getAttribute("aria-disabled") !== "true") ??
      days[0];
    for (const day of days) day.tabIndex = day === stop ? 0 : -1;
  }
}

function focusOn(days, chosen) {
  for (const day of days) day.tabIndex = day === chosen ? 0 : -1;
  chosen.focus();
}

document.addEventListener("htmx:afterSettle", prepare);
prepare();
